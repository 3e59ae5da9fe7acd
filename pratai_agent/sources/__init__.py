"""A module a kind of source."""
