"""Waiting for the end of a build or a request."""

from collections.abc import Callable
from typing import Any

from prataiclient.progress import Progress

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
FINAL = frozenset({"success", "error", "timeout", "cancelled"})


def wait(
    read: Callable[[], dict[str, Any]], ended: Callable[[str], bool], progress: Progress
) -> dict[str, Any]:
    """Read again and again, ever more slowly, until the status has ended; returns the last."""
    pause = _FIRST_PAUSE_SECONDS
    while not ended((found := read())["status"]):
        progress.pause(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
    return found
