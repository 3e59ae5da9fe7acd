"""How often something may be done a minute: a token bucket for each function whose endpoint is
called, and for each project that makes requests.

Each API process admits its share, which is the rate through the number of processes that live.
Nothing is written, so a call that is refused costs little. What that leaves inexact is said in
``doc/source/user/guide.rst``, and of projects in ``doc/source/admin/quotas.rst``.
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


def take(bucket: Bucket | None, share: float, now: float, calls: int = 1) -> tuple[Bucket, float]:
    """Take calls out of a bucket that is filled with ``share`` calls a minute, and holds as many
    (at least one); ``None`` is a full one. Returns it as it is then, and how many seconds later
    there are so many in it: 0 where there were now.

    More than it can hold are taken where it is full, and it owes the rest.
    """
    held, wanted = _held(bucket, share, now), min(float(calls), _most(share))
    if held >= wanted - _ROUNDING:
        return Bucket(held - calls, now), 0.0
    return Bucket(held, now), (wanted - held) * _MINUTE / share


def _held(bucket: Bucket | None, share: float, now: float) -> float:
    if bucket is None:
        return _most(share)
    return min(_most(share), bucket.calls + (now - bucket.at) * share / _MINUTE)


def _most(share: float) -> float:
    return max(1.0, share)


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

    def wait_for(self, name: str, rate: int, calls: int = 1) -> int:
        """Count calls of what may be called ``rate`` times a minute; returns 0 where it may be now,
        or else after how many seconds it may be.
        """
        share = rate / self._processes()
        with self._lock:
            bucket = self._buckets.pop(name, None)
            self._buckets[name], seconds = take(bucket, share, self._now(), calls)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return math.ceil(seconds)

    def used(self, name: str, rate: int) -> int:
        """Return how many of a minute's calls are used, if as many came to each process as here."""
        processes = self._processes()
        share = rate / processes
        with self._lock:
            held = _held(self._buckets.get(name), share, self._now())
        return min(rate, round((_most(share) - held) * processes))
