"""Ends its process when it is imported."""

raise SystemExit(4)
