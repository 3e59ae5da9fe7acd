"""Gunicorn's worker, with two changes.

It answers in the one shape what never reaches the application: lines and headers that are malformed
or too large. And a thread that has answered stays with its connection for a moment, while half of
the threads have nothing to do: whoever calls again at once is spared the way by the thread that
looks after all connections, and back.
"""

import logging
import select
import threading
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import errors as http_errors
from gunicorn.workers.gthread import ThreadWorker
from oslo_context.context import RequestContext

from pratai_api.errors import failure, reason_of

LOG = logging.getLogger(__name__)
_STAY_MS = 5
_CODES = {
    http_errors.LimitRequestLine: 414,
    http_errors.LimitRequestHeaders: 431,
    http_errors.ExpectationFailed: 417,
    http_errors.UnsupportedTransferCoding: 501,
}


class ApiWorker(ThreadWorker):  # type: ignore[misc]
    """See the module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = threading.Semaphore(max(1, self.cfg.threads // 2))

    def handle(self, conn: Any) -> Any:
        """Handle the requests that come by a connection at once, one after another; what it returns
        says what becomes of the connection.
        """
        if not self._room.acquire(blocking=False):
            return super().handle(conn)
        try:
            kept = super().handle(conn)
            while kept is True and self.alive and _comes(conn):
                kept = super().handle(conn)
            return kept
        finally:
            self._room.release()

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


def _comes(connection: Any) -> bool:
    """Say whether more comes by a connection within a moment. What was read ahead of it already is
    gunicorn's own affair.
    """
    if connection.parser.unreader.buf.getvalue():
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(_STAY_MS))
