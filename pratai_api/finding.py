"""Finds what a path names, where the caller may touch what the project has: what another project
has answers 404, as what does not exist.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import UNSET, UnsetType

from pratai_api import caller
from pratai_api.answers import unknown_marker
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.log_context import concerns
from pratai_common.records import Event, Function, Request, Subscription


def function(function_id: str) -> Function:
    """Return a living function."""
    return _touchable(_living(function_id), function_id)


def callable_function(function_id: str) -> Function:
    """Return a living function that is public, without proof of who calls, or that the caller may
    run: one of their project's, or one that is shared with it.

    Raises ApiError: 401 for whoever says not who they are, 403 and 404 as elsewhere.
    """
    found = _living(function_id)
    if found is not None and _open_to_all(found):
        return found
    caller.require()
    if found is None or not caller.may_run(found):
        raise no_function(function_id)
    return found


def function_of(project_id: str, function_id: str) -> Function:
    """Return a living function that a project has, and that another noun names."""
    found = _living(function_id)
    if found is None or found.project_id != project_id:
        message = f"the project has no function {function_id}"
        raise ApiError(404, "function_not_found", message)
    return found


def _touchable(found: Function | None, function_id: str) -> Function:
    if found is None or not caller.may_touch(found.project_id):
        raise no_function(function_id)
    return found


def no_function(function_id: str) -> ApiError:
    """Return the refusal of an id of none, or of one that is not the caller's."""
    return ApiError(404, "function_not_found", f"there is no function {function_id}")


def _living(function_id: str) -> Function | None:
    found = services().store.get_functions([function_id]).get(function_id)
    return None if found is None or found.deleted_at is not None else found


def event(event_id: str) -> Event:
    """Return a living event."""
    found = services().store.get_events([event_id]).get(event_id)
    if found is None or found.deleted_at is not None or not caller.may_touch(found.project_id):
        raise ApiError(404, "event_not_found", f"there is no event {event_id}")
    return found


def event_of(project_id: str, event_id: str) -> Event:
    """Return a living event that a project has, and that another noun names."""
    found = services().store.get_events([event_id]).get(event_id)
    if found is None or found.deleted_at is not None or found.project_id != project_id:
        raise ApiError(404, "event_not_found", f"the project has no event {event_id}")
    return found


def request(request_id: str) -> Request:
    """Return a request, of a function that may be deleted; the HTTP request concerns it."""
    concerns(request_id)
    found = services().store.get_requests([request_id]).get(request_id)
    if found is None or found.kind != "run" or not caller.may_touch_request(found):
        raise _no_request(request_id)
    return found


def request_to_show(request_id: str) -> tuple[Request, bool]:
    """Return a request, as ``request`` does, or one that the caller asked another project's
    function for which they may call still; and whether it is such a stranger's.
    """
    concerns(request_id)
    found = services().store.get_requests([request_id]).get(request_id)
    if found is None or found.kind != "run":
        raise _no_request(request_id)
    if caller.may_touch_request(found):
        return found, False
    function = _living(found.function_id) if caller.asked_for(found) else None
    if function is None or not (_open_to_all(function) or caller.may_run(function)):
        raise _no_request(request_id)
    return found, True


def _no_request(request_id: str) -> ApiError:
    return ApiError(404, "request_not_found", f"there is no request {request_id}")


def _open_to_all(function: Function) -> bool:
    """Say whether a function runs for whoever knows its id."""
    return function.public and function.auth == "none"


def subscription(owner: Function, subscription_id: str) -> Subscription:
    """Return a subscription of a function."""
    for each in services().store.subscriptions_of(owner.function_id):
        if each.subscription_id == subscription_id:
            return each
    message = f"the function has no subscription {subscription_id}"
    raise ApiError(404, "subscription_not_found", message)


def marker(
    asked: str | UnsetType,
    read: Callable[
        [Sequence[str]], Mapping[str, Event] | Mapping[str, Function] | Mapping[str, Request]
    ],
    project_id: str | None,
) -> str | None:
    """Return the marker of a list, which names a record of the project, or of any project where
    that is ``None``; it may be deleted.
    """
    if asked is UNSET:
        return None
    found = read([asked]).get(asked)
    if found is None or project_id not in (None, found.project_id):
        raise unknown_marker(asked)
    return asked
