"""What a node runs containers with. ``base`` is the seam, and its contract suite the door."""
