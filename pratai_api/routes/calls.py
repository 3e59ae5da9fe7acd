"""Calls: events that come by HTTP, to a function by its id or to its public endpoint."""

import logging

import msgspec
from flask import Response, request

from pratai_api import audit, caller, calls, finding, hook_auth, hook_bodies, schemas
from pratai_api.answers import Answer
from pratai_api.arguments import body, given, json_body, moment, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits, refusals, tracing
from pratai_common.clock import iso
from pratai_common.errors import Reason
from pratai_common.records import Function
from pratai_common.sealing import SealError
from pratai_common.submit import Cause, Trigger

LOG = logging.getLogger(__name__)
_SHOWN_HEADERS = ("accept", "content-type", "user-agent", "x-request-id", "traceparent")
_SHOWN_PREFIXES = ("ce-", "webhook-", "x-github-", "x-gitlab-", "x-hub-")
_SECRET_HEADERS = frozenset(name.lower() for name in hook_auth.TOKEN_HEADERS)


def execute(function_id: str) -> Response:
    """Run a function on a payload: answers an id, or what it returned if the caller waits.

    What a function returns as a ``pratai.Response`` is answered with the status, the headers and
    the body that it names.
    """
    asked = query(schemas.CallQuery)
    function = finding.callable_function(function_id)
    user_id = function.user_id if caller.is_anonymous() else caller.current().user_id
    call = json_body(schemas.Call)
    if call.not_before is not None and function.type == "wait_for_response":
        raise ApiError(400, "invalid", "not_before goes with type async only")
    cause, payload = calls.cause("http"), bytes(call.payload)
    if caller.is_stranger(function.project_id):
        cause = calls.strangers(cause, caller.origin())
        if caller.is_anonymous():
            cause = calls.nobodys(cause, payload)
        _require_within_rate(function)
    attributes = _attributes(function, cause, "pratai.http", "application/json")
    return calls.perform(
        Trigger(
            function=function,
            user_id=user_id,
            caller_project_id=caller.foreign_project(function.project_id),
            cause=cause,
            payload=payload,
            attributes=attributes,
            not_before=moment(call.not_before),
        ),
        given(asked.wait),
    )


def receive(token: str) -> Response:
    """Run a function by its public endpoint; the body comes as it is, and its sender proves what
    the function's ``auth`` asks for.

    JSON and text arrive as such, a form as an object, other bytes in base64
    (``datacontentencoding`` says so). HEAD says whether the endpoint exists, and runs nothing.
    What a function returns as a ``pratai.Response`` is answered with the status, the headers and
    the body that it names.
    """
    asked = query(schemas.CallQuery)
    function = _public_function(token)
    if request.method == "HEAD":
        return Response(mimetype="application/json")
    content = body()
    delivery = _require_sender(function, content)
    _require_within_rate(function)
    payload, described = hook_bodies.payload(content)
    cause = calls.cause("webhook", delivery)
    if function.auth == "none":
        cause = calls.nobodys(cause, payload)
    attributes = _attributes(function, cause, "pratai.webhook", request.mimetype or None)
    return calls.perform(
        Trigger(
            function=function,
            user_id=function.user_id,
            cause=cause,
            payload=payload,
            attributes={**attributes, **described, **_http()},
        ),
        given(asked.wait),
        delivery,
    )


def consent(token: str) -> Response:
    """Say which methods are taken and, as CloudEvents' webhooks ask, that an endpoint takes
    deliveries and how many a minute: its owner has made it public.
    """
    answer = Answer()
    answer.headers["Allow"] = "GET, HEAD, OPTIONS, POST"
    if (function := _called_by(token)) is not None:
        answer.headers["WebHook-Allowed-Origin"] = "*"
        answer.headers["WebHook-Allowed-Rate"] = str(function.rate_limit or "*")
    return answer


def _public_function(token: str) -> Function:
    """Return the function of an endpoint; whatever is not public answers 404."""
    function = _called_by(token)
    if function is None:
        raise ApiError(404, "endpoint_not_found", "there is no such endpoint")
    audit.about(function.function_id, function.project_id)
    return function


def _called_by(token: str) -> Function | None:
    """Return the function that calls of an endpoint run, if they run one."""
    function = services().store.function_of_endpoint(token)
    if function is None or not function.public:
        return None
    subscriptions = services().store.subscriptions_of(function.function_id)
    called = any(each.kind == "webhook" and each.enabled for each in subscriptions)
    return function if called else None


def _require_sender(function: Function, content: bytes) -> str | None:
    """Refuse (401) who does not prove what ``auth`` asks for; returns the id that the sender gives
    the delivery. Where nobody proves anything there is none: strangers could name the ids that
    others will have.
    """
    if function.auth == "none":
        return None
    secret = _secret(function)
    now = services().clock() / 1000
    delivery = hook_auth.Delivery(lambda name: request.headers.get(name, ""), content, now)
    try:
        return hook_auth.verify(function.auth, secret, delivery)
    except hook_auth.RefusedError as error:
        raise ApiError(401, error.reason, str(error)) from None


def _secret(function: Function) -> str:
    """Return what the senders of a function know; raises ApiError (503)."""
    try:
        return services().hook_sealer.open(function.auth_secret or "")
    except SealError as error:
        LOG.error("the auth_secret of function %s cannot be read: %s", function.function_id, error)
        message = "the function's auth_secret cannot be read; set it anew"
        raise ApiError(503, "secret_unavailable", message) from None


def _require_within_rate(function: Function) -> None:
    """Refuse (429) a call of somebody else that is more than the function's rate allows."""
    if function.rate_limit is None:
        return
    seconds = services().rates.wait_for(function.function_id, function.rate_limit)
    if seconds:
        used = services().rates.used(function.function_id, function.rate_limit)
        figures = refusals.figures(f"{function.rate_limit} a minute", used)
        message = f"the function's rate_limit is {figures}"
        raise ApiError(429, Reason.THROTTLED, message, {"Retry-After": str(seconds)})


def _attributes(
    function: Function, cause: Cause, kind: str, content_type: str | None
) -> dict[str, object]:
    """Return the event as CloudEvents names it, in the trace that its caller says."""
    return {
        "specversion": "1.0",
        "id": cause.name,
        "source": f"/v1/functions/{function.function_id}",
        "type": kind,
        "time": iso(services().clock()),
        "datacontenttype": content_type,
        **tracing.of_headers(request.headers.get),
    }


def _http() -> dict[str, object]:
    """Return what a function may want to know of the HTTP request: no credentials."""
    headers = {
        name.lower(): value for name, value in request.headers.items() if _is_shown(name.lower())
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


def _is_shown(header: str) -> bool:
    if header in _SECRET_HEADERS:
        return False
    return header in _SHOWN_HEADERS or header.startswith(_SHOWN_PREFIXES)
