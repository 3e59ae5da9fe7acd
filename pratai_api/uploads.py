"""Functions' code on its way in: the form, the zip, the version that it becomes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from flask import request
from msgspec.structs import replace
from werkzeug.exceptions import RequestEntityTooLarge

from pratai_api.arguments import decode
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits, package
from pratai_common.errors import PackageError, StoreUnavailableError
from pratai_common.languages import language_of
from pratai_common.records import Function, FunctionStatus, Version
from pratai_common.submit import Cause, request_id

_METADATA_BYTES = limits.MAX_FORM_BYTES - limits.MAX_ZIP_BYTES
T = TypeVar("T")


def open_form(project_id: str) -> None:
    """Let the request be as large as a form with a zip may be; raises ApiError if it is none, and
    OverloadedError where the project may have no further build.
    """
    request.max_content_length = limits.MAX_FORM_BYTES
    if request.mimetype != "multipart/form-data":
        raise ApiError(400, "invalid", "the body must be a form: multipart/form-data")
    for name in ("metadata", "zip_file"):
        if len(request.form.getlist(name)) + len(request.files.getlist(name)) > 1:
            raise ApiError(400, "invalid", f"the form has {name} more than once")
    services().submitter.require_room(project_id)  # the form was read: its sender hears of it


def metadata(shape: type[T]) -> T | None:
    """Return the form's ``metadata``, a field or a file, ``None`` if it has none.

    Raises ApiError, or RequestEntityTooLarge.
    """
    text: str | bytes | None = request.form.get("metadata")
    if "metadata" in request.files:
        text = request.files["metadata"].read(_METADATA_BYTES + 1)
        if len(text) > _METADATA_BYTES:
            raise RequestEntityTooLarge
    return None if text is None else decode(text, shape, "metadata")


def zip_content(runtime: str) -> bytes:
    """Return the form's zip, checked for this runtime; raises ApiError."""
    if "zip_file" in request.form:
        raise ApiError(400, "invalid", "zip_file must come as a file: its part has no filename")
    file = request.files.get("zip_file")
    if file is None:
        raise ApiError(400, "invalid", "the form has no zip_file")
    content: bytes = file.read()
    try:
        package.check(content, language_of(runtime))
    except PackageError as error:
        raise ApiError(400, "invalid_package", str(error)) from error
    return content


def first_version(function: Function, content: bytes) -> Version:
    """Record the first version of a function that is in no store yet."""
    version = _version(function, content, 1)
    services().store.create_version(version)
    return version


def next_version(function: Function, content: bytes) -> Version:
    """Record a further version, under the next number that is free."""
    number = 1 + max(each.number for each in services().store.list_versions(function.function_id))
    while not _recorded(version := _version(function, content, number)):
        number += 1  # somebody else uploaded at the same time
    if function.version is None:
        with _failing(version):
            _back_to_building(function.function_id)
    return version


def submit(version: Version, user_id: str) -> None:
    """Submit the build of a further version."""
    with _failing(version):
        services().submitter.build(version, user_id)


def _recorded(version: Version) -> bool:
    with _failing(version):
        return services().store.create_version(version)


@contextmanager
def _failing(version: Version) -> Iterator[None]:
    """Show a version as failed where the store does not let what the block does come to its end:
    nobody shall wait for its build.
    """
    try:
        yield
    except StoreUnavailableError:
        with suppress(StoreUnavailableError):
            _fail(version)
        raise


def _fail(version: Version) -> None:
    """Show a version as failed if it is recorded: its number may be somebody else's."""
    failed: dict[str, Any] = {
        "status": FunctionStatus.ERROR,
        "build_error": "its build could not be recorded",
    }

    def fail_version(old: Version) -> Version | None:
        return replace(old, **failed) if old == version else None

    def fail_function(function: Function) -> Function | None:
        return None if function.version is not None else replace(function, **failed)

    after = services().store.change_version(version.function_id, version.number, fail_version)
    if after == replace(version, **failed):
        services().store.change_function(version.function_id, fail_function)


def _version(function: Function, content: bytes, number: int) -> Version:
    """Return a version; its zip is kept before anything names it."""
    cause = Cause("build", str(number))
    return Version(
        function_id=function.function_id,
        number=number,
        project_id=function.project_id,
        runtime=function.runtime,
        archive_sha256=services().archives.put(content),
        size=len(content),
        build_request_id=request_id(function.project_id, function.function_id, cause),
        created_at=services().clock(),
    )


def _back_to_building(function_id: str) -> None:
    """Show that a function which none could be built of may have a version soon."""

    def change(function: Function) -> Function | None:
        if function.version is not None:
            return None
        return replace(function, status=FunctionStatus.BUILDING, build_error=None)

    services().store.change_function(function_id, change)
