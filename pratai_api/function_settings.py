"""What a function's settings may be, alone and together."""

import secrets
import uuid
from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict, replace

from pratai_api import caller, finding, function_rights, hook_settings, schemas
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits
from pratai_common.records import Function

_TOKEN_BYTES = 32


def new(metadata: schemas.FunctionCreate) -> Function:
    """Return a new function with these settings; raises ApiError for those that cannot be."""
    if metadata.runtime not in services().runtimes:
        raise ApiError(400, "unknown_runtime", f"there is no runtime {metadata.runtime}")
    isolation = services().isolations.wanted(metadata.isolation, metadata.public)
    now, who = services().clock(), caller.current()
    function = Function(
        function_id=str(uuid.uuid4()),
        project_id=who.project_id,
        user_id=who.user_id,
        created_at=now,
        updated_at=now,
        endpoint_token=_new_token() if metadata.public else None,
        **_of_function(hook_settings.sealed(asdict(metadata), "none")) | {"isolation": isolation},
    )
    _check(function)
    _check_on_failure(function)
    return function


def changes(function: Function, asked: schemas.FunctionSettings) -> dict[str, Any]:
    """Return the new values of a function, by name; raises ApiError for those that cannot be."""
    given = {name: value for name, value in asdict(asked).items() if value is not UNSET}
    values = _of_function(hook_settings.sealed(given, function.auth))
    values.pop("version", None)  # which one serves is no setting
    becomes_public = asked.public is True and function.endpoint_token is None
    if asked.rotate_endpoint or becomes_public:
        values["endpoint_token"] = _new_token()
    after = replace(function, **values)
    if values:
        _check(after)
    if {"isolation", "public"} & values.keys():
        services().isolations.require(after.isolation, after.public)
    if "on_failure" in values:
        _check_on_failure(after)
    return values


def _of_function(values: dict[str, Any]) -> dict[str, Any]:
    """Return those of what was sent that a function's record has."""
    if "secrets" in values:
        values["secrets"] = function_rights.uses(values["secrets"])
    values.pop("trust", None)  # it is made of who asks for it
    if "shared_with" in values:
        values["shared_with"] = tuple(sorted(set(values["shared_with"])))
    return {name: values[name] for name in Function.__struct_fields__ if name in values}


def _check(function: Function) -> None:
    """Refuse settings that do not go together, or are too much together."""
    if function.name in schemas.RESERVED_NAMES:
        raise ApiError(400, "invalid", f"{function.name} is a reserved name")
    if function.type == "wait_for_response" and _has_other_events(function):
        raise ApiError(400, "invalid", "type wait_for_response goes with event webhook only")
    size = sum(len(f"{name}={value}".encode()) for name, value in function.environment.items())
    if size > limits.MAX_ENVIRONMENT_BYTES:
        message = f"the environment has {size} bytes, {limits.MAX_ENVIRONMENT_BYTES} are allowed"
        raise ApiError(400, "invalid", message)
    function_rights.check(function)


def _check_on_failure(function: Function) -> None:
    """Refuse dead letters' way to an event that the project does not have."""
    if function.on_failure is not None:
        finding.event_of(function.project_id, function.on_failure)


def _has_other_events(function: Function) -> bool:
    subscriptions = services().store.subscriptions_of(function.function_id)
    return function.event != "webhook" or any(each.kind != "webhook" for each in subscriptions)


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)
