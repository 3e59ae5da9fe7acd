"""What a process tells Prometheus of itself: metrics that it counts, on a port of its own.

Each process listens for itself, the API processes behind nginx, too. The client's mode for several
processes would share files among them: it cannot read a value when it is asked for, keeps what dead
processes counted, and writes to a mapped file where this adds to a number in memory.

A label's values are few and known beforehand: no id of anybody is one, and what a node makes up is
``other``. So what a process has to tell does not grow with what its users do.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from socket import SHUT_RDWR
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

from oslo_config import cfg
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Info,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from pratai_common.daemon import product_version
from pratai_common.records import Request

LOG = logging.getLogger(__name__)
OTHER = "other"
SHORT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""The buckets of what takes milliseconds."""

WORK_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
                900)  # fmt: skip
"""The buckets of what users' code does, or waits for: up to the longest run."""

BUILD_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600)
Read = Callable[[], Iterable[Metric]]


class Metrics:
    """The metrics of a ``daemon`` (``api``, ``agent``, ``scheduler``, ``collector`` or ``driver``),
    as ``registry`` has them; served from ``serve`` to ``close``.
    """

    def __init__(self, daemon: str) -> None:
        self.registry = CollectorRegistry()
        self._daemon = daemon
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None
        # When each counter began would double what is told.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        info = Info(
            "pratai_build", "Which daemon this is, of which release", registry=self.registry
        )
        info.info({"daemon": daemon, "version": product_version()})

    def read(self, read: Read) -> None:
        """Have metrics read when they are asked for, by a thread of their own: what is read may
        change meanwhile.
        """
        self.registry.register(_Readings(read))

    def serve(self, conf: cfg.ConfigOpts) -> None:
        """Listen where ``[metrics]`` says. A daemon that cannot works on without: that is logged,
        and Prometheus has an alert for what it cannot reach.
        """
        host, port = conf.metrics.host, conf.metrics[f"{self._daemon}_port"]
        if not port:
            return
        try:
            self._server, self._thread = start_http_server(port, host, self.registry)
        except OSError as error:
            LOG.error("no metrics: nothing can listen at %s, port %d: %s", host, port, error)

    def close(self) -> None:
        """Listen no more. It comes behind all else that ends."""
        if self._server is not None and self._thread is not None:
            # Wakes the thread, which looks but each half second whether it is to end.
            self._server.socket.shutdown(SHUT_RDWR)
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None


class _Readings:
    """A collector as prometheus_client has them."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they are now."""
        return self._read()


class Submissions:
    """Counts the requests that a process makes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._children: dict[tuple[str, ...], Counter] = {}
        self._counter = Counter(
            "pratai_requests_submitted",
            "Requests that were accepted, by type and cause",
            ["source", "type"],
            registry=registry,
        )

    def __call__(self, request: Request, called: bool) -> None:
        """Count a new request; ``called`` says that it is in no store."""
        child_of(self._counter, self._children, request.source, type_of(request, called)).inc()


def type_of(request: Request, called: bool) -> str:
    """Return a request's type, as labels have it: ``call`` is a synchronous one in no store."""
    if request.kind == "build":
        return "build"
    return "call" if called else "async"


def child_of(parent: Any, children: dict[tuple[str, ...], Any], *values: str) -> Any:
    """Return what a metric has for the values of its labels, without the lock at which all threads
    meet that look for it in the metric itself.
    """
    child = children.get(values)
    if child is None:
        child = children[values] = parent.labels(*values)
    return child


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """Return a value as it is now."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    """Return values as they are now, each with those of its labels."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for of_labels, value in values:
        family.add_metric(of_labels, value)
    return family


def dropped(count: int) -> CounterMetricFamily:
    """Return how many messages an inlet has dropped since the process began."""
    text = "Messages that were malformed, or said by who may not say them"
    return CounterMetricFamily("pratai_messages_dropped", text, value=count)
