"""Waiting for the end of a build or a request."""

import time
from collections.abc import Callable
from typing import TypeVar

from prataiclient.errors import WaitTimeoutError

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
T = TypeVar("T")


def wait(
    read: Callable[[], T],
    ended: Callable[[T], bool],
    pause: Callable[[float], None] = time.sleep,
    timeout: float | None = None,
) -> T:
    """Read again and again, ever more slowly, until what is read has ended; returns that.

    ``pause`` is called with the seconds between. Raises WaitTimeoutError after ``timeout`` seconds.
    """
    ends = None if timeout is None else time.monotonic() + timeout
    seconds = _FIRST_PAUSE_SECONDS
    while not ended(found := read()):
        if ends is not None and time.monotonic() + seconds > ends:
            raise WaitTimeoutError(f"{found} had not ended after {timeout:g} s")
        pause(seconds)
        seconds = min(seconds * 1.5, _LONGEST_PAUSE_SECONDS)
    return found
