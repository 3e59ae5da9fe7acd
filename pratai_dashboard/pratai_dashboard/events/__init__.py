"""The panel Events and timers."""
