"""What the collector counts of requests as it settles them: how they ended, and how long each took
from station to station.
"""

from itertools import pairwise
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from pratai_common.errors import Reason
from pratai_common.metrics import BUILD_SECONDS, OTHER, WORK_SECONDS, child_of, type_of
from pratai_common.records import Request, Timing

STATIONS = ("queue", "delivery", "start", "run", "settle")
"""Between the times of a ``Timing``: waits for a node; is on its way there; waits for its turn,
image and container; runs; is on its way to the collector."""

_REASONS = frozenset(reason.value for reason in Reason)
_NONE = "none"


class RequestMetrics:
    """See the module. Called for each change that a result has made to a request, once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "pratai_requests_ended",
            "Requests that have ended, by type, cause, final status and reason",
            ["type", "source", "status", "reason"],
            registry=registry,
        )
        self._repeated = Counter(
            "pratai_requests_repeated",
            "Attempts that are followed by another, by the reason of their failure",
            ["reason"],
            registry=registry,
        )
        self._stations = Histogram(
            "pratai_request_station_duration_seconds",
            "How long requests were at each station, in the attempt that ended them",
            ["type", "station"],
            buckets=WORK_SECONDS,
            registry=registry,
        )
        self._total = Histogram(
            "pratai_request_duration_seconds",
            "From a request's acceptance until it was settled",
            ["type"],
            buckets=WORK_SECONDS,
            registry=registry,
        )
        self._runs = Counter(
            "pratai_runs",
            "Runs that have ended, by whether a container waited for them (warm) or not (cold)",
            ["start"],
            registry=registry,
        )
        self._builds = Histogram(
            "pratai_build_duration_seconds",
            "How long nodes took for the builds of versions, by how they ended",
            ["status"],
            buckets=BUILD_SECONDS,
            registry=registry,
        )
        self._starts = {
            cold: self._runs.labels("cold" if cold else "warm") for cold in (True, False)
        }
        self._children: dict[str, dict[tuple[str, ...], Any]] = {
            name: {} for name in ("ended", "repeated", "stations", "total", "builds")
        }

    def __call__(self, request: Request, called: bool) -> None:
        """Count a request as it is now; ``called`` says that it was in no store before."""
        reason = known_reason(request.reason)
        if not request.status.final:
            last = request.attempts[-1].reason if request.attempts else None
            self._child("repeated", self._repeated, known_reason(last)).inc()
            return
        kind = type_of(request, called)
        self._child("ended", self._ended, kind, request.source, request.status, reason).inc()
        if request.cold is not None:
            self._starts[request.cold].inc()
        if request.kind == "build":
            self._built(request)
        elif request.timing is not None:
            self._timed(kind, request.timing)

    def _built(self, request: Request) -> None:
        last = request.attempts[-1] if request.attempts else None
        if last is not None and last.finished_at is not None:
            seconds = max(0, last.finished_at - last.started_at) / 1000
            self._child("builds", self._builds, request.status).observe(seconds)

    def _timed(self, kind: str, timing: Timing) -> None:
        for station, seconds in durations(timing):
            self._child("stations", self._stations, kind, station).observe(seconds)
        if timing.settled is not None:
            seconds = max(0, timing.settled - timing.accepted) / 1e6
            self._child("total", self._total, kind).observe(seconds)

    def _child(self, name: str, parent: Any, *values: str) -> Any:
        return child_of(parent, self._children[name], *values)


def durations(timing: Timing) -> list[tuple[str, float]]:
    """Return the stations that a request came by, and the seconds at each. Clocks of machines
    differ: what would be below zero is zero.
    """
    times = (timing.accepted, timing.dispatched, timing.taken, timing.started, timing.ended,
             timing.settled)  # fmt: skip
    return [
        (station, max(0, until - since) / 1e6)
        for station, (since, until) in zip(STATIONS, pairwise(times), strict=True)
        if since is not None and until is not None
    ]


def known_reason(reason: str | None) -> str:
    """Return a reason as a label has it: nodes may say what they like."""
    if reason is None:
        return _NONE
    return reason if reason in _REASONS else OTHER
