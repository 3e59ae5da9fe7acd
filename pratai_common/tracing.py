"""W3C Trace Context: which trace a request belongs to, and which span its run is. Pure.

What came with an event stands among the event's attributes, where CloudEvents' extension for
distributed tracing has it. All else is made from ids, so each daemon comes to the same without
being told: the trace of a request that came with none is named by the request's own id, and spans
by digests of it. A function that is run by another one's end is in that one's trace.
"""

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from oslo_config import cfg

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_FORMAT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(r"[ -~]{1,512}")
_SAMPLED, _RANDOM = 1, 2
_HALF = 1 << 64


class TraceContext(NamedTuple):
    """A span of a trace, in hexadecimal digits; ``state`` is what other vendors say of it."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str | None = None

    @property
    def sampled(self) -> bool:
        """Say whether the trace is recorded, by whoever began it."""
        return bool(self.flags & _SAMPLED)

    @property
    def attributes(self) -> dict[str, str]:
        """Return it as an event has it."""
        told = {TRACEPARENT: f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"}
        return told if self.state is None else {**told, TRACESTATE: self.state}


def read(values: Mapping[str, Any] | None) -> TraceContext | None:
    """Return the context that headers or an event's attributes have (names in lower case), ``None``
    where they have none that is one.
    """
    return None if values is None else parse(values.get(TRACEPARENT), values.get(TRACESTATE))


def parse(traceparent: object, tracestate: object = None) -> TraceContext | None:
    """Return the context that two headers tell of, ``None`` where that is none: a trace begins
    anew then.
    """
    found = _FORMAT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if (
        version == "ff"
        or (version == "00" and rest)
        or not (int(trace_id, 16) and int(span_id, 16))
    ):
        return None
    state = tracestate if isinstance(tracestate, str) and _STATE.fullmatch(tracestate) else None
    return TraceContext(trace_id, span_id, int(flags, 16) & (_SAMPLED | _RANDOM), state)


def of_headers(get: Callable[[str], str | None]) -> dict[str, str]:
    """Return what an HTTP request's headers add to its event's attributes."""
    found = parse(get(TRACEPARENT), get(TRACESTATE))
    return {} if found is None else found.attributes


def anew(event: dict[str, Any] | None, get: Callable[[str], str | None]) -> dict[str, Any] | None:
    """Return an event's attributes in the trace of an HTTP request that has it handled again."""
    if event is None:
        return None
    others = {name: each for name, each in event.items() if name not in (TRACEPARENT, TRACESTATE)}
    return {**others, **of_headers(get)}


def of_request(request_id: str, event: Mapping[str, Any] | None) -> TraceContext:
    """Return the span of a request, from its acceptance to its end."""
    return _of(request_id, event, span_id(request_id))


def of_run(request_id: str, attempt: int, event: Mapping[str, Any] | None) -> TraceContext:
    """Return the span of a run: what its function's own spans, and whatever follows from its end,
    are children of.
    """
    if not attempt:  # it ended without a run
        return of_request(request_id, event)
    return _of(request_id, event, span_id(f"{request_id}/{attempt}"))


def span_id(name: str) -> str:
    """Return the id of a span, from what names it: a request's id, ``ID/ATTEMPT`` for a run."""
    return hashlib.sha256(f"span:{name}".encode()).hexdigest()[:16]


class Sampling:
    """Which of the traces that begin here are recorded: a ``ratio`` of them."""

    def __init__(self, ratio: float = 0.0) -> None:
        self._below = int(ratio * _HALF)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Sampling":
        """Return what ``[tracing]`` says: none where nobody takes them."""
        return cls(conf.tracing.sample_ratio if conf.tracing.exporter else 0.0)

    def begun(self, request_id: str, event: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the attributes of an event with the trace that begins by its request, where that
        is to be recorded.
        """
        if not self._below or read(event) is not None:
            return event
        own = of_request(request_id, None)
        if int(own.span_id, 16) >= self._below:  # of a digest: ids may have bits that are fixed
            return event
        others = {name: each for name, each in (event or {}).items() if name != TRACESTATE}
        return {**others, **own._replace(flags=_SAMPLED).attributes}


NO_SAMPLING = Sampling()


def _of(request_id: str, event: Mapping[str, Any] | None, own: str) -> TraceContext:
    given = read(event)
    if given is None:
        return TraceContext(_trace(request_id), own)
    return given._replace(span_id=own)


def _trace(request_id: str) -> str:
    try:
        return uuid.UUID(request_id).hex
    except ValueError:
        return hashlib.sha256(request_id.encode()).hexdigest()[:32]
