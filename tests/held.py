"""Functions that run until a test lets them end: what is looked at meanwhile is in no hurry."""

from tests.docker_command import docker

HELD: dict[str, str | bytes] = {
    "held.py": """
import os
import time


def wait():
    while not os.path.exists("/tmp/go"):
        time.sleep(0.01)
"""
}
"""A module for a function's zip, whose ``wait`` returns when it may."""


def let_go(container: str) -> None:
    """Let the function in a container end."""
    docker("exec", container, "touch", "/tmp/go")
