"""Cancels requests: the wish is recorded first, then the scheduler is told."""

from collections.abc import Sequence

from msgspec.structs import replace

from pratai_api.services import services
from pratai_common.messages import Cancel
from pratai_common.records import Request
from pratai_common.store.base import Changed, RequestChange


def cancel(request_ids: Sequence[str]) -> list[Request]:
    """Record that requests shall end; returns them as they are then.

    One that has ended stays as it is. The scheduler ends what waits, and its nodes what runs; if
    it does not hear of it now, it reads of it within a second.
    """
    changed = wish(request_ids)
    for each in request_ids:
        services().send(Cancel(request_id=each))
    return changed


def wish(request_ids: Sequence[str]) -> list[Request]:
    """Record that requests shall end, and tell nobody; returns them as they are then."""
    now = services().clock()

    def change(request: Request) -> Changed | None:
        if request.status.final or request.cancel_requested_at is not None:
            return None
        due = min(request.next_run_at, now)  # so that the sweep finds what runs later, too
        return Changed(replace(request, cancel_requested_at=now, next_run_at=due))

    changed = services().store.change_requests(
        [RequestChange(each, change) for each in request_ids]
    )
    return [each for each in changed if each is not None]
