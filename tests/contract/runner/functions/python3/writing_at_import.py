"""Writes a file when it is imported."""

from pathlib import Path

Path("/tmp/cache").write_text("dear")


def main(payload: object = None) -> object:
    return [payload, Path("/tmp/cache").read_text()]
