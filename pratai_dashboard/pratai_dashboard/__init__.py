"""Horizon plug-in: what a project's users and the platform's administrators see of Pratai."""
