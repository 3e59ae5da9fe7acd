"""Waiting for something to be so, with a generous ceiling against hangs."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, seconds: float = 120) -> T:
    """Return the first true value that ``look`` gives; fails when none came in time."""
    seen = came_true(look, seconds)
    assert seen, f"not in {seconds} s: {what}"
    return seen


def came_true(look: Callable[[], T], seconds: float = 120) -> T:
    """Return the first true value that ``look`` gives, or the last when none came in time."""
    ends = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < ends:
        time.sleep(0.05)
    return seen
