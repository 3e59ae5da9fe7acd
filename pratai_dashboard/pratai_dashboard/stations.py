"""Where a request was when, as parts of a bar. Pure: no Django, no API."""

from typing import NamedTuple

ORDER = ("accepted", "dispatched", "taken", "started", "ended", "settled")
"""The stations of a request, in the order in which it passes them."""
_BETWEEN = {
    "dispatched": "waits for its place",
    "taken": "travels to the node",
    "started": "gets a container",
    "ended": "runs",
    "settled": "is recorded",
}


class Part(NamedTuple):
    """What was done between two stations, from ``start`` for ``length`` milliseconds; ``left`` and
    ``width`` are per cent of the whole.
    """

    station: str
    what: str
    start: float
    length: float
    left: float
    width: float


def parts(timing: dict[str, float] | None) -> list[Part]:
    """Return the parts of a bar by the milliseconds after which a request was at each station.

    Stations have the clocks of their machines: where one seems to be before the former, the time
    between them is nothing.
    """
    known = [(name, timing[name]) for name in ORDER if timing and timing.get(name) is not None]
    found, at = list[tuple[str, float, float]](), 0.0
    for name, passed in known:
        if name in _BETWEEN:
            found.append((name, at, max(0.0, passed - at)))
        at = max(at, passed)
    whole = at or 1.0
    return [
        Part(name, _BETWEEN[name], start, length, 100 * start / whole, 100 * length / whole)
        for name, start, length in found
    ]
