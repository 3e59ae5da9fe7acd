"""Functions: their code, their builds, and calling them."""

import hashlib
import uuid
from typing import Any

import msgspec
from flask import Response, request
from msgspec.structs import replace

from pratai_api import caller, schemas, views
from pratai_api.answers import json_answer, log_answer, page_answer
from pratai_api.arguments import decode, json_body, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits, package
from pratai_common.errors import NameTakenError, PackageError
from pratai_common.messages import FunctionChanged
from pratai_common.records import Function, FunctionStatus, Subscription, Version
from pratai_common.store.base import Page
from pratai_common.submit import Cause, request_id

_FORM_BYTES = limits.MIB
_MAX_KEY = 255
_MINUTE_MS = 60_000


def index() -> Response:
    """Answer the project's functions, newest first."""
    asked = query(schemas.FunctionsQuery)
    page = Page(asked.limit, asked.marker)
    found = services().store.list_functions(caller.current().project_id, asked.name, page)
    return page_answer(
        "functions", [views.function(each) for each in found], asked.limit, "function_id"
    )


def create() -> Response:
    """Take a new function in and submit the build of its first version."""
    request.max_content_length = limits.MAX_ZIP_BYTES + _FORM_BYTES
    metadata = _metadata()
    content = _zip()
    function = _new_function(metadata)
    version = _new_version(function, content)
    services().store.create_version(version)
    try:
        services().store.create_function(function)
    except NameTakenError:
        message = f"a function named {function.name} exists"
        raise ApiError(409, "name_taken", message) from None
    _subscribe(function, metadata)
    services().submitter.build(version, function.user_id)
    return json_answer(views.function(function), 201)


def show(function_id: str) -> Response:
    """Answer one function."""
    return json_answer(views.function(_find(function_id)))


def delete(function_id: str) -> Response:
    """Delete a function: what waits is cancelled, its records stay."""
    _find(function_id)
    now = services().clock()
    services().store.change_function(
        function_id, lambda old: None if old.deleted_at else replace(old, deleted_at=now)
    )
    services().send(FunctionChanged(function_id=function_id))
    return Response(status=204)


def execute(function_id: str) -> Response:
    """Record a request that runs the function, and answer its id."""
    function = _find(function_id)
    event = json_body(schemas.Event)
    if event.payload is msgspec.UNSET:
        raise ApiError(400, "invalid", 'the body has no payload: send {"payload": ...}')
    if function.version is None and function.status is FunctionStatus.ERROR:
        message = f"no version of the function could be built: {function.build_error}"
        raise ApiError(409, "image_build", message)
    payload = bytes(event.payload)
    created = services().submitter.run(function, caller.current().user_id, _cause(), payload)
    if created.request.input_sha256 != hashlib.sha256(payload).hexdigest():
        message = "this Idempotency-Key was used with another body"
        raise ApiError(422, "idempotency_key_reused", message)
    answer = json_answer({"request_id": created.request.request_id}, 202)
    answer.headers["X-Pratai-Request-Id"] = created.request.request_id
    return answer


def versions(function_id: str) -> Response:
    """Answer the versions of a function, oldest first."""
    found = services().store.list_versions(_find(function_id).function_id)
    return json_answer({"versions": [views.version(each) for each in found], "next": None})


def build_log(function_id: str) -> Response:
    """Answer the log of the newest version's build."""
    function = _find(function_id)
    newest = services().store.list_versions(function.function_id)[-1]
    build = services().store.get_requests([newest.build_request_id]).get(newest.build_request_id)
    chunks = services().store.log_chunks(newest.build_request_id)
    return log_answer(chunks, build.log_chunks if build else None)


def _find(function_id: str) -> Function:
    """Return a living function of the caller's project; anything else answers 404."""
    function = services().store.get_functions([function_id]).get(function_id)
    mine = function is not None and function.project_id == caller.current().project_id
    if function is None or not mine or function.deleted_at is not None:
        raise ApiError(404, "function_not_found", f"there is no function {function_id}")
    return function


def _metadata() -> schemas.FunctionCreate:
    text = request.form.get("metadata")
    if text is None:
        raise ApiError(400, "invalid", "the form has no metadata")
    metadata = decode(text, schemas.FunctionCreate, "metadata")
    if metadata.name in schemas.RESERVED_NAMES:
        raise ApiError(400, "invalid", f"{metadata.name} is a reserved name")
    if metadata.runtime not in services().runtimes:
        raise ApiError(400, "unknown_runtime", f"there is no runtime {metadata.runtime}")
    if (metadata.event == "timer") != (metadata.frequency is not None):
        raise ApiError(400, "invalid", "event timer and frequency go together")
    return metadata


def _zip() -> bytes:
    file = request.files.get("zip_file")
    if file is None:
        raise ApiError(400, "invalid", "the form has no zip_file")
    content: bytes = file.read()
    try:
        package.check(content)
    except PackageError as error:
        raise ApiError(400, "invalid_package", str(error)) from error
    return content


def _new_function(metadata: schemas.FunctionCreate) -> Function:
    now, who = services().clock(), caller.current()
    settings: dict[str, Any] = msgspec.structs.asdict(metadata)
    del settings["frequency"]
    return Function(
        function_id=str(uuid.uuid4()),
        project_id=who.project_id,
        user_id=who.user_id,
        created_at=now,
        updated_at=now,
        **settings,
    )


def _new_version(function: Function, content: bytes) -> Version:
    """Return the function's first version; its zip is kept before anything names it."""
    number = 1
    return Version(
        function_id=function.function_id,
        number=number,
        project_id=function.project_id,
        runtime=function.runtime,
        archive_sha256=services().archives.put(content),
        size=len(content),
        build_request_id=request_id(
            function.project_id, function.function_id, Cause("build", str(number))
        ),
        created_at=function.created_at,
    )


def _subscribe(function: Function, metadata: schemas.FunctionCreate) -> None:
    if metadata.frequency is None:
        return
    services().store.create_subscription(
        Subscription(
            subscription_id=str(uuid.uuid4()),
            function_id=function.function_id,
            project_id=function.project_id,
            user_id=function.user_id,
            kind="timer",
            frequency_ms=round(metadata.frequency * _MINUTE_MS),
            created_at=function.created_at,
        )
    )


def _cause() -> Cause:
    """Return what makes this call the same as another: its Idempotency-Key, or nothing."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return Cause("http", f"call:{uuid.uuid4().hex}")
    if not key or len(key) > _MAX_KEY:
        message = f"Idempotency-Key must have 1 to {_MAX_KEY} characters"
        raise ApiError(400, "invalid", message)
    return Cause("http", f"key:{key}")
