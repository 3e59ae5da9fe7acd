"""Every failure as ``{"error": {code, title, message, reason, http_request_id}}``."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from pratai_api import views
from pratai_common import limits
from pratai_common.errors import OverloadedError, Reason, StoreUnavailableError

LOG = logging.getLogger(__name__)
_DRAIN_BYTES = 2 * limits.MAX_ZIP_BYTES
_RETRY_AFTER_SECONDS = "1"


class ApiError(Exception):
    """A refusal: HTTP status, reason (a word for programs), message (for people), headers."""

    def __init__(
        self, code: int, reason: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.headers = headers or {}


def register(app: Flask) -> None:
    """Make every failure of the application answer in the one shape."""
    app.register_error_handler(ApiError, _refused)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ParseException, _malformed)
    app.register_error_handler(msgspec.ValidationError, _invalid)
    app.register_error_handler(StoreUnavailableError, _store_unavailable)
    app.register_error_handler(OverloadedError, _overloaded)
    app.register_error_handler(Exception, _ours)


def failure(code: int, reason: str, message: str, http_request_id: str) -> bytes:
    """Return what is refused or failed in the one shape, as JSON text."""
    error = views.Error(
        code=code,
        title=HTTPStatus(code).phrase,
        message=message,
        reason=reason,
        http_request_id=http_request_id,
    )
    return msgspec.json.encode(views.Failure(error=error))


def reason_of(code: int) -> str:
    """Return the word for a status that says all there is to say."""
    return HTTPStatus(code).name.lower()


def _answer(code: int, reason: str, message: str) -> Response:
    content = failure(code, reason, message, g.http_request_id)
    return Response(content, code, mimetype="application/json")


def _refused(error: ApiError) -> Response:
    answer = _answer(error.code, error.reason, error.message)
    answer.headers.extend(error.headers)
    return answer


def _too_large(_error: RequestEntityTooLarge) -> Response:
    # Read to the end (within bounds): a client that is still sending would see its connection
    # reset, and never the reason.
    stream, left = request.environ["wsgi.input"], _DRAIN_BYTES
    while left > 0 and (read := stream.read(min(left, 256 * limits.KIB))):
        left -= len(read)
    most = request.max_content_length or 0
    length = request.content_length
    if request.mimetype == "multipart/form-data" and length is not None and length <= most:
        return _answer(413, "too_large", "a field of the form is too large")
    return _answer(413, "too_large", f"the body is larger than {most} bytes")


def _http(error: HTTPException) -> Response:
    code = error.code or 500
    answer = _answer(code, reason_of(code), error.description or HTTPStatus(code).description)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer


def _malformed(error: ParseException) -> Response:
    """Refuse a body whose chunks are none: it is found out only while it is read."""
    return _answer(400, reason_of(400), str(error))


def _invalid(error: msgspec.ValidationError) -> Response:
    return _answer(400, "invalid", str(error))


def _store_unavailable(error: StoreUnavailableError) -> Response:
    LOG.error("the store is unavailable: %s", error)
    message = "the store does not answer; it is not known whether anything was recorded"
    answer = _answer(503, "store_unavailable", message)
    answer.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return answer


def _overloaded(error: OverloadedError) -> Response:
    code, reason = (503, "busy") if error.project_id is None else (429, Reason.THROTTLED.value)
    answer = _answer(code, reason, str(error))
    answer.headers["Retry-After"] = str(error.retry_seconds)
    return answer


def _ours(error: Exception) -> Response:
    LOG.error("http request %s failed", g.http_request_id, exc_info=error)
    return _answer(500, "internal", "an error of the platform; the operator's log has more")
