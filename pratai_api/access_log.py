"""A line in the log for each HTTP request, made when the last byte of its answer is written.

Its context is that of the request: the HTTP request's own id, which the caller has seen in
``X-Openstack-Request-Id``, and the function request's, so that either leads to the other.
"""

import logging
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import quote

from gunicorn.config import Config
from gunicorn.glogging import Logger
from oslo_context.context import RequestContext, get_current

from pratai_api.log_batches import Batches
from pratai_common.log_context import shown

LOG = logging.getLogger(__name__)
_SECRET = re.compile(r"(.*?(?:hooks/|/keys/(?:prk_[0-9a-f]{12}(?![0-9a-f]))?)).*", re.DOTALL)
"""What follows in a path is the token of a hook: whoever has it may call the function. So may
whoever has an API key, of which somebody may have put more than its prefix there."""


class Answered(Protocol):
    """What gunicorn knows of an answer."""

    status: str
    headers: Iterable[tuple[str, str]]
    sent: int


class AccessLog(Logger):  # type: ignore[misc]
    """Gunicorn's logger, with our own lines for what it would write to an access log."""

    def __init__(self, cfg: Config) -> None:
        super().__init__(cfg)
        self._batches = Batches()

    def access(
        self, resp: Answered, req: object, environ: dict[str, Any], request_time: timedelta
    ) -> None:
        """Log a request and how it was answered: no query, no headers, no token of a hook."""
        if not LOG.isEnabledFor(logging.INFO):
            return
        headers = {name.lower(): value for name, value in resp.headers}
        context = _context_of(headers.get("x-openstack-request-id"))
        if function_request := headers.get("x-pratai-request-id"):
            context.resource_uuid = shown(function_request)
        text = "%s %s %s, %d bytes, %.1f ms"
        values = (
            environ.get("REQUEST_METHOD"),
            shown_path(environ.get("PATH_INFO", "")),
            str(resp.status).partition(" ")[0],
            resp.sent,
            request_time / timedelta(milliseconds=1),
        )
        place = (LOG.name, logging.INFO, __file__, 0, text, values, None)
        self._batches.put(LOG.makeRecord(*place, extra={"context": context}))


def shown_path(path: str) -> str:
    """Return a path as a log line may hold it; ``path`` is decoded as WSGI has it (latin-1)."""
    found = _SECRET.fullmatch(path)
    head = path if found is None else found[1]
    return quote(head, safe="/:", encoding="latin-1") + ("***" if head != path else "")


def _context_of(http_request: str | None) -> RequestContext:
    """Return this thread's context if it is the request's, or else one that is."""
    context = get_current()
    if context is None or context.request_id != http_request:
        return RequestContext(request_id=http_request)
    return context
