"""Spans of requests that have ended, by OpenTelemetry; found by its name, since few need it.

All of them are made here, from what the record says: the request, a span for each attempt that was
repeated, and one for each station of the attempt that ended it. So no other daemon knows
OpenTelemetry, and a request costs nothing before it has ended. A span that cannot be sent is lost.
"""

import logging
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from oslo_config import cfg

from pratai_common import tracing
from pratai_common.daemon import product_version
from pratai_common.metrics import type_of
from pratai_common.records import Request
from pratai_common.records import Status as RequestStatus
from pratai_common.tracing import TraceContext
from pratai_scheduler.request_metrics import STATIONS

LOG = logging.getLogger(__name__)
_TRIGGERS = {"http": "http", "webhook": "http", "replay": "http", "timer": "timer"}
"""What OpenTelemetry calls ``faas.trigger``; all else is ``pubsub``."""


class Spans:
    """See the module. ``processor`` takes spans, and is closed by ``close``."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._processor = processor
        version = product_version()
        self._resource = Resource.create({"service.name": "pratai", "service.version": version})
        self._scope = InstrumentationScope("pratai", version)

    def __call__(self, request: Request, called: bool) -> None:
        """Take in a request as it is now, ``called`` as for metrics. It never fails: the request is
        settled, and has to be acknowledged.
        """
        own = tracing.of_request(request.request_id, request.event)
        if not own.sampled or not request.status.final:
            return
        try:
            for span in self._spans(request, own, called):
                self._processor.on_end(span)
        except Exception:
            LOG.exception("no spans of a request")

    def close(self) -> None:
        """Send what is left."""
        self._processor.shutdown()

    def _spans(self, request: Request, own: TraceContext, called: bool) -> Iterator[ReadableSpan]:
        timing, ended = request.timing, (request.finished_at or request.created_at) * 1000
        began = request.created_at * 1000 if timing is None else timing.accepted
        if timing is not None and timing.settled is not None:
            ended = timing.settled
        given = tracing.read(request.event)
        parent = None if given is None or given.span_id == own.span_id else given
        failed = request.status is not RequestStatus.SUCCESS
        status = Status(StatusCode.ERROR, request.reason) if failed else Status(StatusCode.OK)
        named = _attributes(request, called)
        yield self._span("request", own, parent, began, ended, named, status, SpanKind.CONSUMER)
        for each in request.attempts[:-1]:
            span = own._replace(span_id=tracing.span_id(f"{request.request_id}/{each.number}"))
            until = (each.finished_at or each.started_at) * 1000
            repeated = Status(StatusCode.ERROR, each.reason)
            about = {"pratai.attempt": each.number, "pratai.node": each.node}
            yield self._span("run", span, own, each.started_at * 1000, until, about, repeated)
        if timing is not None:
            yield from self._stations(request, own, status)

    def _stations(
        self, request: Request, own: TraceContext, status: Status
    ) -> Iterator[ReadableSpan]:
        """Return the spans of the last attempt's stations; its ``run`` is what the function has
        seen, so spans that it made itself are below that.
        """
        timing = request.timing
        assert timing is not None  # noqa: S101 - it was looked at
        times = (timing.accepted, timing.dispatched, timing.taken, timing.started, timing.ended,
                 timing.settled)  # fmt: skip
        for station, (since, until) in zip(STATIONS, pairwise(times), strict=True):
            if since is None or until is None:
                continue
            running = station == "run"
            name = f"{request.request_id}/{request.attempt}"
            span_id = tracing.span_id(name if running else f"{name}/{station}")
            about = {"pratai.attempt": request.attempt, "pratai.node": request.node or ""}
            span = own._replace(span_id=span_id)
            ended = status if running else Status(StatusCode.UNSET)
            yield self._span(station, span, own, since, max(since, until), about, ended)

    def _span(
        self,
        name: str,
        own: TraceContext,
        parent: TraceContext | None,
        began: int,
        ended: int,
        attributes: dict[str, Any],
        status: Status,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> ReadableSpan:
        """Return a span; times are microseconds since 1970."""
        return ReadableSpan(
            name=name,
            context=_context(own),
            parent=None if parent is None else _context(parent),
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=status,
            start_time=began * 1000,
            end_time=max(began, ended) * 1000,
            instrumentation_scope=self._scope,
        )


def open_otlp(conf: cfg.ConfigOpts) -> Spans:
    """Return what sends spans by OTLP, many at a time and by a thread of its own."""
    return Spans(BatchSpanProcessor(OTLPSpanExporter(endpoint=conf.tracing.otlp_endpoint)))


def _context(span: TraceContext) -> SpanContext:
    return SpanContext(
        int(span.trace_id, 16),
        int(span.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(span.flags),
        trace_state=TraceState.from_header([span.state or ""]),
    )


def _attributes(request: Request, called: bool) -> dict[str, Any]:
    """Return what is told of a request: ids, and nothing of what came in or out."""
    told = {
        "faas.invocation_id": request.request_id,
        "faas.trigger": _TRIGGERS.get(request.source, "pubsub"),
        "faas.coldstart": request.cold,
        "error.type": request.reason,
        "pratai.type": type_of(request, called),
        "pratai.source": request.source,
        "pratai.function_id": request.function_id,
        "pratai.version": request.version,
        "pratai.project_id": request.project_id,
        "pratai.parent_id": request.parent_id,
    }
    return {name: value for name, value in told.items() if value is not None}
