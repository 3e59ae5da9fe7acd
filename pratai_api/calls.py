"""Runs a function for a caller: recorded and answered with an id, or waited for.

An asynchronous event is recorded before it is answered. A synchronous call is recorded by the
collector, behind its answer; with an Idempotency-Key, or the id that a known sender gives its
delivery, it is recorded first like any other. A wait that ends early is answered with the id, and
by then the request is recorded.

A call that nginx sends again, because the API process that had it died, is recorded once all the
same: its id comes from nginx's. One that is in no record is not run again.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from flask import Response, g, request
from msgspec.structs import replace

from pratai_api import caller, function_answers, proxy, views
from pratai_api.answers import json_answer
from pratai_api.errors import ApiError
from pratai_api.replies import Waiter
from pratai_api.services import services
from pratai_common import limits, refusals
from pratai_common.errors import OverloadedError, Reason, StoreUnavailableError
from pratai_common.log_context import concerns
from pratai_common.messages import Answer
from pratai_common.records import Body, Function, FunctionStatus, Request, ResponseHead
from pratai_common.response_heads import BadResponseError
from pratai_common.store.base import Changed, Created, RequestChange
from pratai_common.submit import Cause, Trigger, request_id

LOG = logging.getLogger(__name__)
MAX_KEY = 255
_LOOK_SECONDS = 0.5
"""How often a recorded request is looked at while its caller waits: a second caller with the same
Idempotency-Key may wait at another API process than the one that is answered."""

_DELIVERY = "delivery:"
_NOT_AGAIN = "the API process that had this call died: it may have run, and is not run again"


def cause(kind: str, delivery: str | None = None) -> Cause:
    """Return what makes this HTTP request the same as another: the id that a known sender gives its
    ``delivery``, its Idempotency-Key, or else that nginx sent it twice.

    Raises ApiError for an id or a key that is empty or too long.
    """
    key = request.headers.get("Idempotency-Key")
    if delivery is not None:
        return Cause(kind, _DELIVERY + _key("the id of a delivery", delivery))
    if key is not None:
        return Cause(kind, f"key:{_key('Idempotency-Key', key)}")
    sent = proxy.request_id()
    return Cause(kind, f"call:{g.http_request_id}" if sent is None else f"proxy:{sent}")


def _key(what: str, key: str) -> str:
    if not key or len(key) > MAX_KEY:
        raise ApiError(400, "invalid", f"{what} must have 1 to {MAX_KEY} characters")
    return key


def strangers(cause: Cause, origin: str | None) -> Cause:
    """Return the cause where the caller is of another project than the function, has an API key, or
    is not known: their keys are no keys of the project's, whose results they would be given.
    """
    return Cause(cause.kind, f"of:{origin or ''}:{cause.name}")


def nobodys(cause: Cause, payload: bytes) -> Cause:
    """Return the cause where nobody knows who calls: a key counts together with the body, so that
    nobody can use up the keys of others.
    """
    if "Idempotency-Key" not in request.headers:
        return cause
    return Cause(cause.kind, f"{cause.name}:{_sha256(payload)}")


def perform(event: Trigger, wait: float | None, delivery: str | None = None) -> Response:
    """Do what the function's type says; ``wait`` is how many seconds the caller would wait.
    ``delivery`` is the id that its cause was made from.

    Raises ApiError for a function that cannot be called, one that failed (502), and a platform
    that could not run it (503).
    """
    with _discreet(event.function.project_id):
        return _perform(event, wait, delivery)


def _perform(event: Trigger, wait: float | None, delivery: str | None) -> Response:
    function, identity = event.function, _identity(event)
    concerns(identity)
    require_callable(function)
    synchronous = function.type == "wait_for_response"
    if wait is None:
        wait = limits.DEFAULT_WAIT_SECONDS if synchronous else 0
    wait = min(wait, limits.MAX_WAIT_SECONDS)
    if synchronous and delivery is None and "Idempotency-Key" not in request.headers:
        if proxy.sent_again():
            raise _unavailable(_NOT_AGAIN, identity)
        with services().waits.place():
            return _call(event, identity, wait)
    if not wait:
        return accepted(record(event).request)
    with services().waits.place():
        return _record_and_wait(event, wait)


@contextmanager
def _discreet(project_id: str) -> Iterator[None]:
    """Tell strangers how much a project may have where there is no more, and not what it uses."""
    try:
        yield
    except OverloadedError as error:
        if error.project_id is None or not caller.is_stranger(project_id):
            raise
        message = refusals.without_usage(str(error))
        raise OverloadedError(message, error.project_id, error.retry_seconds) from error
    except ApiError as error:
        if error.reason != Reason.THROTTLED or not caller.is_stranger(project_id):
            raise
        message = refusals.without_usage(error.message)
        raise ApiError(error.code, error.reason, message, error.headers) from error


def record(event: Trigger) -> Created:
    """Record an event's request; raises ApiError where its key, or the id of its delivery, was used
    with another body, and OverloadedError.
    """
    delivered = event.cause.name.startswith(_DELIVERY)
    try:
        created = services().submitter.run(event)
    except OverloadedError:
        repeated = delivered or "Idempotency-Key" in request.headers or proxy.sent_again()
        known = services().store.get_requests([_identity(event)]) if repeated else {}
        if not known:
            raise
        created = Created(known[_identity(event)], new=False)  # it was let in when it came first
    what = "id of a delivery" if delivered else "Idempotency-Key"
    require_same_body(event.payload, [created.request], what)
    return created


def require_same_body(
    payload: bytes | Body, recorded: Iterable[Request], what: str = "Idempotency-Key"
) -> None:
    """Refuse (422) a payload where one of the requests under its key has another."""
    sha256 = _sha256(payload)
    if any(each.input_sha256 != sha256 for each in recorded):
        message = f"this {what} was used with another body"
        raise ApiError(422, "idempotency_key_reused", message)


def _sha256(payload: bytes | Body) -> str:
    return payload.sha256 if isinstance(payload, Body) else hashlib.sha256(payload).hexdigest()


def accepted(record: Request) -> Response:
    """Answer the id of a request that is recorded."""
    answer = json_answer(views.Accepted(request_id=record.request_id), 202)
    return _named(answer, record.request_id)


def require_callable(function: Function) -> None:
    """Refuse what would not be run; raises ApiError (409)."""
    if not function.enabled:
        raise ApiError(409, "function_disabled", "the function is disabled")
    if function.version is None and function.status is FunctionStatus.ERROR:
        message = f"no version of the function could be built: {function.build_error}"
        raise ApiError(409, "image_build", message)


def _call(event: Trigger, identity: str, wait: float) -> Response:
    parts = services()
    parts.intake.take(event.function.project_id)
    event = replace(event, reply_to=parts.name)
    with parts.replies.expect(identity) as waiter:
        call = parts.submitter.call(event, int(wait * 1000))
        if call is None:
            raise _unavailable("the scheduler cannot be reached", identity)
        answer = waiter.wait(wait)
    if answer is None:
        recorded = parts.submitter.record_call(call, event.function).request
        return _ended(recorded) if recorded.status.final else accepted(recorded)
    if answer.reason == Reason.NODE_LOST:
        raise _unavailable(f"nothing is known of the run: {answer.message}", identity)
    return _answered(answer)


def _record_and_wait(event: Trigger, wait: float) -> Response:
    identity = _identity(event)
    event = replace(event, reply_to=services().name)
    ends = time.monotonic() + wait
    with services().replies.expect(identity) as waiter:
        recorded = record(event).request
        try:
            return _waited(recorded, waiter, ends)
        except StoreUnavailableError as error:
            # It is recorded and will run: without its id the caller would send it again.
            LOG.warning("a caller is told the id alone: %s", error)
            return accepted(recorded)


def _waited(recorded: Request, waiter: Waiter, ends: float) -> Response:
    """Wait for a recorded request; raises StoreUnavailableError where the end cannot be read."""
    identity = recorded.request_id
    while not recorded.status.final:
        left = ends - time.monotonic()
        if left <= 0:
            return _wait_no_longer(identity)
        answer = waiter.wait(min(left, _LOOK_SECONDS))
        if answer is not None:
            return _answered(answer)
        with suppress(StoreUnavailableError):  # the answer may come without the store
            recorded = services().store.get_requests([identity])[identity]
    return _ended(recorded)


def _wait_no_longer(identity: str) -> Response:
    """Answer the id: from now on nobody waits, and a failure is a dead letter."""

    def change(record: Request) -> Changed | None:
        return None if record.status.final else Changed(replace(record, reply_to=None))

    after = services().store.change_requests([RequestChange(identity, change)])[0]
    assert after is not None  # noqa: S101 - it was recorded, and records stay
    return _ended(after) if after.status.final else accepted(after)


def _identity(event: Trigger) -> str:
    return request_id(event.function.project_id, event.function.function_id, event.cause)


def _answered(answer: Answer) -> Response:
    if answer.reason is None:
        return _returned(answer.response, answer.output, answer.request_id)
    raise _failed(answer.reason, answer.message, answer.request_id)


def _ended(record: Request) -> Response:
    if record.reason is None:
        result = services().store.get_result(record.request_id)
        return _returned(record.response, result, record.request_id)
    raise _failed(record.reason, record.message, record.request_id)


def _returned(head: ResponseHead | None, output: Body | None, identity: str) -> Response:
    content = b"null" if output is None else services().archives.read(output)
    try:
        return _named(function_answers.answer(head, content), identity)
    except BadResponseError as error:
        raise _failed(Reason.BAD_RESULT, str(error), identity) from error


def _failed(reason: str, message: str | None, identity: str) -> ApiError:
    headers = {"X-Pratai-Request-Id": identity}
    if reason == Reason.THROTTLED:
        return ApiError(429, reason, message or reason, {**headers, "Retry-After": "1"})
    return ApiError(502, reason, message or reason, headers)


def _unavailable(message: str, identity: str) -> ApiError:
    headers = {"X-Pratai-Request-Id": identity, "Retry-After": "1"}
    return ApiError(503, Reason.NODE_LOST, message, headers)


def _named(answer: Response, identity: str) -> Response:
    answer.headers["X-Pratai-Request-Id"] = identity
    return answer
