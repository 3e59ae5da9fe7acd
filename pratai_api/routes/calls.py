"""Calls: events that come by HTTP, to a function by its id or to its public endpoint."""

import base64

import msgspec
from flask import Response, request

from pratai_api import caller, calls, finding, schemas
from pratai_api.arguments import body, decode, given, json_body, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits
from pratai_common.clock import iso
from pratai_common.records import Function
from pratai_common.submit import Cause, Event

_SHOWN_HEADERS = ("accept", "content-type", "user-agent", "x-request-id", "traceparent")
_SHOWN_PREFIXES = ("ce-", "webhook-", "x-github-", "x-gitlab-", "x-hub-")


def execute(function_id: str) -> Response:
    """Run a function on a payload: answers an id, or what it returned if the caller waits."""
    asked = query(schemas.CallQuery)
    function = finding.callable_function(function_id)
    user_id = function.user_id if caller.is_anonymous() else caller.current().user_id
    payload = bytes(json_body(schemas.Call).payload)
    cause = calls.cause("http")
    if (who := caller.project_id()) != function.project_id:
        cause = calls.strangers(cause, who)
    attributes = _attributes(function, cause, "pratai.http", "application/json")
    return calls.perform(
        Event(
            function=function,
            user_id=user_id,
            cause=cause,
            payload=payload,
            attributes=attributes,
        ),
        given(asked.wait),
    )


def receive(token: str) -> Response:
    """Run a function by its public endpoint; the body comes as it is, and no one is asked who
    they are.

    JSON and text arrive as such, other bytes in base64 (``datacontentencoding`` says so). HEAD
    says whether the endpoint exists, and runs nothing.
    """
    asked = query(schemas.CallQuery)
    function = _public_function(token)
    if request.method == "HEAD":
        return Response(mimetype="application/json")
    payload, described = _payload()
    cause = calls.cause("webhook")
    attributes = _attributes(function, cause, "pratai.webhook", request.mimetype or None)
    return calls.perform(
        Event(
            function=function,
            user_id=function.user_id,
            cause=cause,
            payload=payload,
            attributes={**attributes, **described, **_http()},
        ),
        given(asked.wait),
    )


def _public_function(token: str) -> Function:
    """Return the function of an endpoint; whatever is not public answers 404."""
    function = services().store.function_of_endpoint(token)
    if function is None or not function.public:
        raise ApiError(404, "endpoint_not_found", "there is no such endpoint")
    subscriptions = services().store.subscriptions_of(function.function_id)
    if not any(each.kind == "webhook" and each.enabled for each in subscriptions):
        raise ApiError(404, "endpoint_not_found", "there is no such endpoint")
    return function


def _payload() -> tuple[bytes, dict[str, str]]:
    """Return the body as JSON text, and what is to be said of its form."""
    content = body()
    if not content:
        return b"null", {}
    if request.is_json:
        decode(content, msgspec.Raw, "the body")
        return content, {}
    try:
        text, described = content.decode(), {}
    except UnicodeDecodeError:
        text, described = base64.b64encode(content).decode(), {"datacontentencoding": "base64"}
    encoded = msgspec.json.encode(text)
    if len(encoded) > limits.MAX_BODY_BYTES:
        message = f"as a JSON string, the body is larger than {limits.MAX_BODY_BYTES} bytes"
        raise ApiError(413, "too_large", message)
    return encoded, described


def _attributes(
    function: Function, cause: Cause, kind: str, content_type: str | None
) -> dict[str, object]:
    """Return the event as CloudEvents names it."""
    return {
        "specversion": "1.0",
        "id": cause.name,
        "source": f"/v1/functions/{function.function_id}",
        "type": kind,
        "time": iso(services().clock()),
        "datacontenttype": content_type,
    }


def _http() -> dict[str, object]:
    """Return what a function may want to know of the HTTP request: no credentials."""
    headers = {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower() in _SHOWN_HEADERS or name.lower().startswith(_SHOWN_PREFIXES)
    }
    shown: dict[str, object] = {
        "method": request.method,
        "headers": headers,
        "query": request.args.to_dict(),
    }
    if len(msgspec.json.encode(shown)) > limits.MAX_HOOK_HEADERS_BYTES:
        message = f"headers and query are larger than {limits.MAX_HOOK_HEADERS_BYTES} bytes"
        raise ApiError(431, "too_large", message)
    return shown
