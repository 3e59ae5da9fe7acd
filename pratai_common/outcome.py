"""The one rule that settles a request. Pure: record and result in, record (or nothing) out.

The first final outcome wins. A success from any attempt is final; a failure counts only from the
current attempt, and there the first one. A lost node is tried again, up to
``limits.NODE_LOST_RETRIES`` times; a failure of the user's code as often as its function says,
after a pause that doubles. No attempt is begun when the request would have expired.
"""

import hashlib

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.messages import Result
from pratai_common.records import Attempt, Request, ResponseHead, Status, Timing

_USER_FAILURES = frozenset(
    {
        Reason.EXCEPTION,
        Reason.EXIT_CODE,
        Reason.OOM,
        Reason.TIMEOUT,
        Reason.BAD_RESULT,
        Reason.RESULT_TOO_LARGE,
        # Not of its code, but of what it names: it is for its author to say how often to ask.
        Reason.SECRET_UNAVAILABLE,
    }
)
_STATUS_OF_REASON: dict[str, Status] = {
    Reason.TIMEOUT: Status.TIMEOUT,
    Reason.CANCELLED: Status.CANCELLED,
    Reason.FUNCTION_DELETED: Status.CANCELLED,
}
_MESSAGE_CHARACTERS = 4096
"""Records are small, whatever a node says."""


def settle(request: Request, result: Result, now: int) -> Request | None:
    """Return the request as the result leaves it, or ``None`` where the result changes nothing."""
    if request.status.final:
        return None
    if result.reason is not None and _outdated(request, result):
        return None
    refusal = _is_refusal(result)
    attempts = request.attempts if refusal else _with_attempt(request.attempts, result)
    pause = _pause(request, attempts, result.reason)
    if pause is not None and now + pause < request.expires_at:
        status = Status.SCHEDULED if pause else Status.QUEUED
        return replace(request, status=status, attempts=attempts, next_run_at=now + pause)
    reason, message = result.reason, _short(result.message)
    if reason == Reason.NODE_LOST and request.cancel_requested_at is not None:
        reason, message = Reason.CANCELLED, "it was cancelled, and its node was lost"
    status = _final_status(reason)
    waited = max(0, result.started_at - request.created_at)
    return replace(
        request,
        status=status,
        reason=reason,
        message=message,
        dead=_dead(request, status),
        attempts=attempts,
        started_at=request.started_at or (None if refusal else result.started_at),
        finished_at=now,
        queue_ms=request.queue_ms if refusal and request.attempts else waited,
        init_ms=result.init_ms,
        run_ms=result.run_ms,
        cold=result.cold,
        isolation=result.isolation,
        node=result.node or request.node,
        peak_memory=result.peak_memory,
        log_chunks=result.log_chunks,
        response=_small(result.response) if status is Status.SUCCESS else None,
        timing=_timing(request, result),
    )


def _is_refusal(result: Result) -> bool:
    """Say whether this is the scheduler's word on a request that no node has.

    Its word on an attempt is that the node was lost; all else is a node's own.
    """
    return not result.node and result.reason != Reason.NODE_LOST


def _outdated(request: Request, result: Result) -> bool:
    """Say whether a failure is not of the current attempt, or that has ended already."""
    if result.attempt != request.attempt or not request.attempts:
        return result.attempt < request.attempt
    return request.attempts[-1].finished_at is not None and not _is_refusal(result)


def _short(message: str | None) -> str | None:
    return None if message is None else message[:_MESSAGE_CHARACTERS]


def _small(head: ResponseHead | None) -> ResponseHead | None:
    """Return a head that an honest node may have sent."""
    if head is None:
        return None
    size = sum(len(name) + len(value) for name, value in head.headers.items())
    return head if size <= limits.MAX_RESPONSE_HEADERS_BYTES else None


def _timing(request: Request, result: Result) -> Timing | None:
    """Return when the request was where; its own record says when it was accepted, not a node."""
    if request.timing is None or result.timing is None:
        return request.timing
    return replace(result.timing, accepted=request.timing.accepted)


def _final_status(reason: str | None) -> Status:
    if reason is None:
        return Status.SUCCESS
    return _STATUS_OF_REASON.get(reason, Status.ERROR)


def _pause(request: Request, attempts: tuple[Attempt, ...], reason: str | None) -> int | None:
    """Return the milliseconds until the next attempt, ``None`` where there is none."""
    if request.cancel_requested_at is not None:
        return None
    if reason == Reason.NODE_LOST:
        lost = sum(1 for attempt in attempts if attempt.reason == Reason.NODE_LOST)
        return 0 if lost <= limits.NODE_LOST_RETRIES else None
    if reason not in _USER_FAILURES:
        return None
    failed = sum(1 for attempt in attempts if attempt.reason in _USER_FAILURES)
    if failed > request.retries:
        return None
    longest = min(limits.FIRST_RETRY_MS << (failed - 1), limits.LONGEST_RETRY_MS)
    return longest - int(longest / 2 * _jitter(request.request_id, failed))


def _jitter(request_id: str, failed: int) -> float:
    """Return a number from 0 to 1, another one for each request and failure, but always the same:
    what failed together, because something was away, does not come back together.
    """
    digest = hashlib.sha256(f"{request_id}/{failed}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32


def _dead(request: Request, status: Status) -> bool:
    """Say whether a request ends as a dead letter: it failed, and nobody waits to be told."""
    failed = status in (Status.ERROR, Status.TIMEOUT)
    return failed and request.kind == "run" and request.reply_to is None


def _with_attempt(attempts: tuple[Attempt, ...], result: Result) -> tuple[Attempt, ...]:
    """Write the result into its attempt, which a scheduler that died may not have recorded.

    A verdict that the node was lost names none: the record does.
    """
    others = [attempt for attempt in attempts if attempt.number != result.attempt]
    node = next((each.node for each in attempts if each.number == result.attempt), "")
    mine = Attempt(
        number=result.attempt,
        node=result.node or node,
        epoch=result.epoch,
        started_at=result.started_at,
        finished_at=result.finished_at,
        reason=result.reason,
        message=_short(result.message),
    )
    return tuple(sorted((*others, mine), key=lambda attempt: attempt.number))
