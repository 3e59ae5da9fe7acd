"""How often a function's endpoint may be called: a token bucket for each function.

Each API process admits its share, which is the function's rate through the number of processes that
live. Nothing is written, so a call that is refused costs little. What that leaves inexact is said
in ``doc/source/user/guide.rst``.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pratai_common.errors import StoreUnavailableError

_MINUTE = 60.0
_LOOK_SECONDS = 5.0
_MOST_BUCKETS = 10_000
_ROUNDING = 1e-9


class Bucket(NamedTuple):
    """What is left of a share at a moment, in seconds."""

    calls: float
    at: float


def take(bucket: Bucket | None, share: float, now: float) -> tuple[Bucket, float]:
    """Take a call out of a bucket that is filled with ``share`` calls a minute, and holds as many
    (at least one); ``None`` is a full one. Returns it as it is then, and how many seconds later
    there is a call in it: 0 where there was one now.
    """
    most = max(1.0, share)
    held = most if bucket is None else bucket.calls + (now - bucket.at) * share / _MINUTE
    held = min(most, held)
    if held >= 1 - _ROUNDING:
        return Bucket(held - 1, now), 0.0
    return Bucket(held, now), (1 - held) * _MINUTE / share


class Processes:
    """How many API processes live: this one at least. ``count`` asks the store, which is done every
    few seconds.
    """

    def __init__(self, count: Callable[[], int], now: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._now = now
        self._number = 1
        self._look_at = -math.inf

    def __call__(self) -> int:
        """Return how many there are, or were when the store could last be asked."""
        if self._now() >= self._look_at:
            self._look_at = self._now() + _LOOK_SECONDS
            with suppress(StoreUnavailableError):
                self._number = max(1, self._count())
        return self._number


class Rates:
    """The buckets of one process. May be used from many threads. ``now`` is in seconds, and only
    goes forward.
    """

    def __init__(
        self, processes: Callable[[], int], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._processes = processes
        self._now = now
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait_for(self, function_id: str, rate: int) -> int:
        """Count a call of a function that may be called ``rate`` times a minute; returns 0 where
        it may be now, or else after how many seconds one may be.
        """
        share = rate / self._processes()
        with self._lock:
            bucket = self._buckets.pop(function_id, None)
            self._buckets[function_id], seconds = take(bucket, share, self._now())
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return math.ceil(seconds)
