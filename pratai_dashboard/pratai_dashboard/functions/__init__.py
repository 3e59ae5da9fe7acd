"""The panel Functions."""
