"""Requests: how each event's run stands, what it returned, what it printed."""

import msgspec
from flask import Response, request
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from pratai_api import answers, caller, calls, cancelling, finding, logs, schemas, views
from pratai_api.answers import json_answer
from pratai_api.arguments import given, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import tracing
from pratai_common.errors import ArchiveMissingError
from pratai_common.records import Body, Request
from pratai_common.store.base import Page, RequestFilter
from pratai_common.submit import Trigger

Raw = msgspec.Raw | UnsetType | None
_SHOWN_CHILDREN = 100


def index() -> Response:
    """Answer the requests of the project, or of all projects, without their bodies, newest first
    unless asked otherwise.
    """
    asked = query(schemas.RequestsQuery)
    project = caller.scope(asked.all_projects, "request:list_all_projects")
    marker = finding.marker(asked.marker, services().store.get_requests, project)
    page = Page(asked.limit + 1, marker, descending=asked.sort.endswith(":desc"))
    which = RequestFilter(*(given(getattr(asked, name)) for name in RequestFilter._fields))
    found = services().store.list_requests(project, which, page)
    shown, following = answers.page(found, asked.limit, "request_id")
    return json_answer(
        views.Requests(requests=[views.request(each) for each in shown], next=following)
    )


def show(request_id: str) -> Response:
    """Answer one request with its result, its event's attributes and the first requests that its
    end caused, and with its payload if that is asked for.

    To the project that asked another one's function for it, nothing is told of what the end caused
    there, nor of where it ran.
    """
    asked = query(schemas.RequestQuery)
    record, strangers = finding.request_to_show(request_id)
    result = _raw(services().store.get_result(request_id))
    payload: Raw = UNSET
    if asked.include == "payload":
        payload = _raw(services().store.get_input(request_id))
    if strangers:
        return json_answer(views.request(_for_strangers(record), result, payload))
    shown = views.request(record, result, payload)
    return json_answer(
        replace(
            shown,
            children=_children(record),
            event=record.attributes,
            timing=views.timing(record.timing),
        )
    )


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
    calls.require_callable(function)
    payload = _raw(services().store.get_input(request_id))
    if not isinstance(payload, msgspec.Raw):
        raise ApiError(409, "input_missing", "what came in is no longer stored")
    cause = calls.cause("replay")
    event = Trigger(
        function=function,
        user_id=caller.current().user_id,
        cause=replace(cause, name=f"{request_id}/{cause.name}"),
        payload=bytes(payload),
        attributes=tracing.anew(record.event, request.headers.get),
        replay_of=request_id,
    )
    return calls.accepted(calls.record(event).request)


def _for_strangers(record: Request) -> Request:
    return replace(record, attempts=(), node=None)


def _children(record: Request) -> list[str]:
    which = RequestFilter(parent_id=record.request_id)
    page = Page(_SHOWN_CHILDREN, descending=False)
    found = services().store.list_requests(record.project_id, which, page)
    return [each.request_id for each in found]


def _raw(body: Body | None) -> Raw:
    """Return a stored body as JSON text to be written as it is; a lost one is not shown."""
    try:
        return None if body is None else msgspec.Raw(services().archives.read(body))
    except ArchiveMissingError:
        return UNSET
