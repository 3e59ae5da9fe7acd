"""Makes subscriptions: which events run a function."""

import uuid

from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.records import Function, Subscription

_MINUTE_MS = 60_000


def add(
    function: Function, kind: str, frequency: float | None, enabled: bool = True
) -> Subscription:
    """Subscribe a function to calls of its endpoint, or to a timer of so many minutes.

    Raises ApiError where kind and frequency, or kind and type, do not go together.
    """
    if (kind == "timer") != (frequency is not None):
        raise ApiError(400, "invalid", "a timer, and nothing else, has a frequency")
    if kind == "timer" and function.type == "wait_for_response":
        raise ApiError(400, "invalid", "type wait_for_response goes with event webhook only")
    now = services().clock()
    subscription = Subscription(
        subscription_id=str(uuid.uuid4()),
        function_id=function.function_id,
        project_id=function.project_id,
        user_id=function.user_id,
        kind="timer" if kind == "timer" else "webhook",
        frequency_ms=milliseconds(frequency),
        enabled=enabled,
        since=now,
        created_at=now,
    )
    services().store.create_subscription(subscription)
    return subscription


def milliseconds(frequency: float | None) -> int | None:
    """Return a frequency in minutes as milliseconds."""
    return None if frequency is None else round(frequency * _MINUTE_MS)
