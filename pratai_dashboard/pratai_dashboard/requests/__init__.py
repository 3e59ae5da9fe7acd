"""The panel Requests."""
