"""The panel Secrets."""
