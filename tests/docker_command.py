"""The ``docker`` command, by which tests look at what the product does through Docker's API."""

import subprocess
from typing import Any


def docker(*arguments: str, **options: Any) -> str:
    """Return what a call of the command prints; ``options`` are those of subprocess.run."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True, **options
    )
    return done.stdout.strip()
