"""Chooses where requests run (dispatcher), and settles how they ended (collector)."""
