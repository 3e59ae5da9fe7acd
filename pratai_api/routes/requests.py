"""Requests: how each event's run stands, what it returned, what it printed."""

import msgspec
from flask import Response

from pratai_api import caller, schemas, views
from pratai_api.answers import json_answer, log_answer, page_answer
from pratai_api.arguments import query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.records import Body, Request, Status
from pratai_common.store.base import Page, RequestFilter


def index() -> Response:
    """Answer the project's requests, newest first, without their bodies."""
    asked = query(schemas.RequestsQuery)
    which = RequestFilter(asked.function_id, Status(asked.status) if asked.status else None)
    page = Page(asked.limit, asked.marker)
    found = services().store.list_requests(caller.current().project_id, which, page)
    return page_answer(
        "requests", [views.request(each) for each in found], asked.limit, "request_id"
    )


def show(request_id: str) -> Response:
    """Answer one request with its result, and with its payload if that is asked for."""
    asked = query(schemas.RequestQuery)
    record = _find(request_id)
    answer = views.request(record)
    answer["result"] = _raw(services().store.get_result(request_id))
    if asked.include == "payload":
        answer["payload"] = _raw(services().store.get_input(request_id))
    return json_answer(answer)


def logs(request_id: str) -> Response:
    """Answer what the request's runs printed."""
    record = _find(request_id)
    return log_answer(services().store.log_chunks(request_id), record.log_chunks)


def _find(request_id: str) -> Request:
    """Return a request of the caller's project; anything else answers 404."""
    record = services().store.get_requests([request_id]).get(request_id)
    mine = record is not None and record.project_id == caller.current().project_id
    if record is None or not mine or record.kind != "run":
        raise ApiError(404, "request_not_found", f"there is no request {request_id}")
    return record


def _raw(body: Body | None) -> msgspec.Raw | None:
    """Return a stored body as JSON text to be written as it is."""
    return None if body is None else msgspec.Raw(services().archives.read(body))
