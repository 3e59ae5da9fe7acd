"""What the newest requests of a project say together. Pure: no Django, no API."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # nothing of the client is needed to count
    from prataiclient.resources import Request

STATUSES = ("success", "error", "timeout", "cancelled", "running", "queued", "scheduled")
"""In the order in which they are shown."""
PERCENTILES = (50, 90, 99)
_MILLISECOND = timedelta(milliseconds=1)


class Bucket(NamedTuple):
    """How many requests of each status were accepted in a span of time."""

    since: datetime
    counts: dict[str, int]


class Times(NamedTuple):
    """The requests of one function that have ended: how long they took from acceptance to end, in
    milliseconds, by percentile; and which share of them found no container that waited.
    """

    function_id: str
    ended: int
    percentiles: tuple[float, ...]
    cold: float | None


class _Run(NamedTuple):
    took: float
    cold: bool | None


def buckets(
    requests: Iterable["Request"], since: datetime, until: datetime, number: int
) -> list[Bucket]:
    """Share out a span of time into so many parts, and count what was accepted in each."""
    part = (until - since) / number
    counts: list[Counter[str]] = [Counter() for _ in range(number)]
    for each in requests:
        place = math.floor((each.created_at - since) / part)
        if 0 <= place < number:
            counts[place][each.status] += 1
    return [
        Bucket(since + place * part, {name: found[name] for name in STATUSES if found[name]})
        for place, found in enumerate(counts)
    ]


def by_status(requests: Iterable["Request"]) -> list[tuple[str, int]]:
    """Return how many there are of each status that there is."""
    found = Counter(each.status for each in requests)
    return [(name, found[name]) for name in STATUSES if found[name]]


def by_function(requests: Iterable["Request"], most: int) -> list[Times]:
    """Return the times of the functions that ended the most requests, those first."""
    ended: dict[str, list[_Run]] = {}
    for each in requests:
        if each.finished_at is not None:
            took = max(0.0, (each.finished_at - each.created_at) / _MILLISECOND)
            ended.setdefault(each.function_id, []).append(_Run(took, each.cold))
    busiest = sorted(ended.items(), key=lambda item: (-len(item[1]), item[0]))[:most]
    return [_times(function_id, found) for function_id, found in busiest]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of some ordered values that is not below so many percent of them."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _times(function_id: str, runs: Sequence[_Run]) -> Times:
    taken = sorted(each.took for each in runs)
    told = [each.cold for each in runs if each.cold is not None]
    return Times(
        function_id,
        len(runs),
        tuple(percentile(taken, percent) for percent in PERCENTILES),
        sum(told) / len(told) if told else None,
    )
