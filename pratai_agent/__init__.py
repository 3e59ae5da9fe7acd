"""Turns what happens outside into requests: sources, each a module in ``sources``."""
