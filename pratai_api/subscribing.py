"""Makes subscriptions: which events run a function."""

import uuid

from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.records import Function, Subscription

_MINUTE_MS = 60_000


def add(function: Function, frequency: float | None, enabled: bool = True) -> Subscription:
    """Subscribe a function to a timer of so many minutes, or else to calls of its endpoint.

    Raises ApiError where the function's type does not go with a timer.
    """
    if frequency is not None and function.type == "wait_for_response":
        raise ApiError(400, "invalid", "type wait_for_response goes with event webhook only")
    now = services().clock()
    subscription = Subscription(
        subscription_id=str(uuid.uuid4()),
        function_id=function.function_id,
        project_id=function.project_id,
        user_id=function.user_id,
        kind="webhook" if frequency is None else "timer",
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
