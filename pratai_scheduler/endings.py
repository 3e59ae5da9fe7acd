"""What is said of a run that has ended, to those who follow it. Pure."""

from typing import Any, Literal, NamedTuple

import msgspec

from pratai_common.clock import iso
from pratai_common.records import Attempt, Body, Function, Request, Status
from pratai_common.tracing import of_run

_OUTCOMES: dict[Status, Literal["success", "failure"]] = {
    Status.SUCCESS: "success",
    Status.ERROR: "failure",
    Status.TIMEOUT: "failure",
}


class Ended(NamedTuple):
    """A recorded request that has ended; ``output`` is its result, where that is at hand."""

    request: Request
    output: Body | None = None


def outcome(request: Request) -> Literal["success", "failure"] | None:
    """Return how a run ended; ``None`` for what nobody follows: one that was cancelled, a build."""
    return _OUTCOMES.get(request.status) if request.kind == "run" else None


def attributes(request: Request, kind: str) -> dict[str, Any]:
    """Return the end of a request as CloudEvents names it, in the trace of the run that ended;
    ``kind`` is its type's last part.
    """
    told: dict[str, Any] = {
        "specversion": "1.0",
        "type": f"pratai.{kind}",
        "source": f"/v1/functions/{request.function_id}",
        "subject": request.request_id,
        "id": request.request_id,
        "time": iso(request.finished_at or request.created_at),
        "datacontenttype": "application/json",
        **of_run(request.request_id, request.attempt, request.event).attributes,
    }
    if request.response is not None and request.response.encoding == "base64":
        told["datacontentencoding"] = "base64"
    return told


def failure(request: Request, payload: Body | None) -> bytes:
    """Return, as JSON text, what a function gets that follows a failed request; ``payload`` is what
    came in with that.
    """
    return msgspec.json.encode(_failed(request, payload))


def dead_letter(request: Request, function: Function, payload: Body | None) -> bytes:
    """Return, as JSON text, what is published of a dead letter of a function."""
    return msgspec.json.encode(
        {
            **_failed(request, payload),
            "function_name": function.name,
            "version": request.version,
            "attempts": [_attempt(each) for each in request.attempts],
            "event": request.attributes,
        }
    )


def _failed(request: Request, payload: Body | None) -> dict[str, Any]:
    """Return how a request failed. A payload that its record does not hold is told by its size:
    it can be read by the request's id.
    """
    told = {
        "request_id": request.request_id,
        "function_id": request.function_id,
        "status": request.status,
        "reason": request.reason,
        "message": request.message,
    }
    if payload is None:
        return told
    if payload.content is None:
        return {**told, "payload_size": payload.size}
    return {**told, "payload": msgspec.Raw(payload.content)}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt without its message, of which there may be many: the last one is told."""
    return {
        "attempt": attempt.number,
        "node": attempt.node,
        "reason": attempt.reason,
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
    }
