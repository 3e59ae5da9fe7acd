"""A node: takes jobs, builds images, runs containers, keeps results until they are stored."""
