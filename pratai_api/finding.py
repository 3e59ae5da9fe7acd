"""Finds what a path names, in the caller's project alone: anything else answers 404."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import UNSET, UnsetType

from pratai_api import caller
from pratai_api.answers import unknown_marker
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.records import Function, Request, Subscription


def function(function_id: str) -> Function:
    """Return a living function."""
    found = services().store.get_functions([function_id]).get(function_id)
    mine = found is not None and found.project_id == caller.current().project_id
    if found is None or not mine or found.deleted_at is not None:
        raise ApiError(404, "function_not_found", f"there is no function {function_id}")
    return found


def request(request_id: str) -> Request:
    """Return a request, of a function that may be deleted."""
    found = services().store.get_requests([request_id]).get(request_id)
    mine = found is not None and found.project_id == caller.current().project_id
    if found is None or not mine or found.kind != "run":
        raise ApiError(404, "request_not_found", f"there is no request {request_id}")
    return found


def subscription(owner: Function, subscription_id: str) -> Subscription:
    """Return a subscription of a function."""
    for each in services().store.subscriptions_of(owner.function_id):
        if each.subscription_id == subscription_id:
            return each
    message = f"the function has no subscription {subscription_id}"
    raise ApiError(404, "subscription_not_found", message)


def marker(
    asked: str | UnsetType,
    read: Callable[[Sequence[str]], Mapping[str, Function] | Mapping[str, Request]],
) -> str | None:
    """Return the marker of a list, which names a record of the project; it may be deleted."""
    if asked is UNSET:
        return None
    found = read([asked]).get(asked)
    if found is None or found.project_id != caller.current().project_id:
        raise unknown_marker(asked)
    return asked
