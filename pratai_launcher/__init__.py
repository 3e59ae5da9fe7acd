"""Runs every console script of the platform on one machine, each as a process of its own."""
