"""The panel Function cluster."""
