"""Requests: how each event's run stands, what it returned, what it printed."""

import msgspec
from flask import Response
from msgspec.structs import replace

from pratai_api import caller, calls, cancelling, finding, logs, schemas, views
from pratai_api.answers import json_answer, next_marker
from pratai_api.arguments import query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.records import Body, Status
from pratai_common.store.base import Page, RequestFilter
from pratai_common.submit import Event


def index() -> Response:
    """Answer the project's requests without their bodies, newest first unless asked otherwise."""
    asked = query(schemas.RequestsQuery)
    status = Status(asked.status) if asked.status else None
    which = RequestFilter(asked.function_id, status, asked.source, asked.dead)
    page = Page(asked.limit, asked.marker, descending=asked.sort.endswith(":desc"))
    found = services().store.list_requests(caller.current().project_id, which, page)
    following = next_marker(found, asked.limit, "request_id")
    return json_answer(
        views.Requests(requests=[views.request(each) for each in found], next=following)
    )


def show(request_id: str) -> Response:
    """Answer one request with its result, and with its payload if that is asked for."""
    asked = query(schemas.RequestQuery)
    record = finding.request(request_id)
    bodies = {"result": _raw(services().store.get_result(request_id))}
    if asked.include == "payload":
        bodies["payload"] = _raw(services().store.get_input(request_id))
    return json_answer(views.request(record, **bodies))


def logs_of(request_id: str) -> Response:
    """Answer what the request's runs printed, and with ``follow`` what they go on to print."""
    asked = query(schemas.LogsQuery)
    finding.request(request_id)
    store = services().store
    return logs.answer(
        lambda: store.get_requests([request_id]).get(request_id), request_id, asked.follow
    )


def cancel(request_id: str) -> Response:
    """Cancel a request that has not ended."""
    finding.request(request_id)
    record = cancelling.cancel([request_id])[0]
    if record.status.final:
        message = f"the request has ended already: {record.status.value}"
        raise ApiError(409, "request_final", message)
    return json_answer(views.request(record), 202)


def replay(request_id: str) -> Response:
    """Run a request that has ended once more: a new request with the same payload."""
    record = finding.request(request_id)
    if not record.status.final:
        message = f"the request has not ended yet: {record.status.value}"
        raise ApiError(409, "request_not_final", message)
    function = services().store.get_functions([record.function_id])[record.function_id]
    if function.deleted_at is not None:
        raise ApiError(409, "function_deleted", "the function was deleted")
    body = services().store.get_input(request_id)
    if body is None:
        raise ApiError(409, "input_missing", "what came in is no longer stored")
    cause = calls.cause("replay")
    event = Event(
        function=function,
        user_id=caller.current().user_id,
        cause=replace(cause, name=f"{request_id}/{cause.name}"),
        payload=services().archives.read(body),
        attributes=record.event,
        replay_of=request_id,
    )
    return calls.accepted(calls.record(event).request)


def _raw(body: Body | None) -> msgspec.Raw | None:
    """Return a stored body as JSON text to be written as it is."""
    return None if body is None else msgspec.Raw(services().archives.read(body))
