"""Gunicorn's worker, which answers in the one shape what never reaches the application: lines and
headers that are malformed or too large.
"""

import logging
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import errors as http_errors
from gunicorn.workers.gthread import ThreadWorker
from oslo_context.context import RequestContext

from pratai_api.errors import failure, reason_of

LOG = logging.getLogger(__name__)
_CODES = {
    http_errors.LimitRequestLine: 414,
    http_errors.LimitRequestHeaders: 431,
    http_errors.ExpectationFailed: 417,
    http_errors.UnsupportedTransferCoding: 501,
}


class ApiWorker(ThreadWorker):  # type: ignore[misc]
    """See the module."""

    def handle_error(self, req: object, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn could not read, or what broke outside of the application."""
        http_request_id = f"req-{uuid.uuid4()}"
        RequestContext(request_id=http_request_id)  # of this thread's log lines from now on
        if isinstance(exc, http_errors.ParseException):
            code, message = _CODES.get(type(exc), 400), str(exc)
            LOG.info("http request %s is malformed: %s", http_request_id, exc)
        else:
            code, message = 500, "an error of the platform; the operator's log has more"
            LOG.error("http request %s failed", http_request_id, exc_info=exc)
        reason = "internal" if code == 500 else reason_of(code)
        body = failure(code, reason, message, http_request_id)
        head = (
            f"HTTP/1.1 {code} {HTTPStatus(code).phrase}",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"X-Openstack-Request-Id: {http_request_id}",
            "\r\n",
        )
        try:
            util.write_nonblock(client, "\r\n".join(head).encode() + body)
        except OSError:
            LOG.debug("nobody is there to be told")
