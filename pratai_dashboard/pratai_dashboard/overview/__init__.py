"""The panel Overview."""
