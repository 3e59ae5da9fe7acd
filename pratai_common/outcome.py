"""The one rule that settles a request. Pure: record and result in, record (or nothing) out.

The first final outcome wins. A success from any attempt is final; a failure counts only from the
current attempt. A lost node is tried again, up to ``limits.NODE_LOST_RETRIES`` times.
"""

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.messages import Result
from pratai_common.records import Attempt, Request, Status

_STATUS_OF_REASON = {
    Reason.TIMEOUT: Status.TIMEOUT,
    Reason.CANCELLED: Status.CANCELLED,
    Reason.FUNCTION_DELETED: Status.CANCELLED,
}


def settle(request: Request, result: Result, now: int) -> Request | None:
    """Return the request as the result leaves it, or ``None`` where the result changes nothing."""
    if request.status.final:
        return None
    failed = result.reason is not None
    if failed and result.attempt < request.attempt:
        return None
    attempts = _with_attempt(request.attempts, result)
    if result.reason == Reason.NODE_LOST and _may_repeat(attempts):
        return replace(request, status=Status.QUEUED, attempts=attempts, next_run_at=now)
    return replace(
        request,
        status=_final_status(result.reason),
        reason=result.reason,
        message=result.message,
        attempts=attempts,
        started_at=request.started_at or (result.started_at if result.attempt else None),
        finished_at=now,
        queue_ms=max(0, result.started_at - request.created_at),
        init_ms=result.init_ms,
        run_ms=result.run_ms,
        cold=result.cold,
        isolation=result.isolation,
        node=result.node or request.node,
        peak_memory=result.peak_memory,
        log_chunks=result.log_chunks,
    )


def _final_status(reason: str | None) -> Status:
    if reason is None:
        return Status.SUCCESS
    return (
        _STATUS_OF_REASON.get(Reason(reason), Status.ERROR)
        if reason in set(Reason)
        else (Status.ERROR)
    )


def _may_repeat(attempts: tuple[Attempt, ...]) -> bool:
    lost = sum(1 for attempt in attempts if attempt.reason == Reason.NODE_LOST)
    return lost <= limits.NODE_LOST_RETRIES


def _with_attempt(attempts: tuple[Attempt, ...], result: Result) -> tuple[Attempt, ...]:
    """Write the result into its attempt, which a scheduler that died may not have recorded."""
    if result.attempt == 0:
        return attempts
    others = tuple(attempt for attempt in attempts if attempt.number != result.attempt)
    mine = Attempt(
        number=result.attempt,
        node=result.node,
        epoch=result.epoch,
        started_at=result.started_at,
        finished_at=result.finished_at,
        reason=result.reason,
        message=result.message,
    )
    return tuple(sorted((*others, mine), key=lambda attempt: attempt.number))
