"""What an API process counts of HTTP requests: how long they took, by route and how they were
answered. A label never has what a client has made up: what no route takes has none.
"""

import re
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Gauge, Histogram

from pratai_common.metrics import SHORT_SECONDS, child_of

_PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z0-9_]+)>")
_BUCKETS = (*SHORT_SECONDS, 30, 60)
_NO_ROUTE = ("", "")


def register(app: Flask, registry: CollectorRegistry) -> None:
    """Have every HTTP request of an application counted, until its answer is made: what of it is
    streamed, and how long that takes, is its reader's affair.
    """
    seconds = Histogram(
        "pratai_api_http_request_duration_seconds",
        "From the time that a thread has an HTTP request until its answer is made",
        ["method", "route", "code"],
        buckets=_BUCKETS,
        registry=registry,
    )
    under_way = Gauge(
        "pratai_api_http_requests_in_progress",
        "HTTP requests that threads of this process have, streams included",
        registry=registry,
    )
    children: dict[tuple[str, ...], Any] = {}
    labels: dict[str | None, tuple[str, str]] = {}

    def begin() -> None:
        under_way.inc()
        g.began = perf_counter()

    def count(answer: Response) -> Response:
        endpoint = request.endpoint
        route = labels.get(endpoint)
        if route is None:
            route = labels[endpoint] = _labels(endpoint)
        took = perf_counter() - g.began
        child_of(seconds, children, *route, str(answer.status_code)).observe(took)
        return answer

    def end(_error: BaseException | None) -> None:
        under_way.dec()

    # Before and behind all others: functions that are called after a request are called last first.
    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    app.after_request_funcs.setdefault(None, []).insert(0, count)
    app.teardown_request(end)


def _labels(endpoint: str | None) -> tuple[str, str]:
    """Return the method and the route of an endpoint, which is named ``METHOD PATH``."""
    if endpoint is None or " " not in endpoint:
        return _NO_ROUTE
    method, path = endpoint.split(" ", 1)
    return method, _PARAMETER.sub(r"{\1}", path)
