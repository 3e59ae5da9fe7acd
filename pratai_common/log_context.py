"""Which function request a thread works on, as its log lines show it.

oslo.log shows the ``resource_uuid`` of the thread's context in one place of each line, before the
text, and of each line of a traceback; ``conf.py`` sets how: ``[request: ID] ``. In the API the
context is that of the HTTP request, whose own id stands before it.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

from oslo_context.context import RequestContext, get_current

REQUEST_FORMAT = "[request: %(uuid)s] "
_MOST_CHARACTERS = 64
"""Ids that we make are shorter; one in a malformed message may be anything."""


class _Logged:
    """The block of ``logged``: a class, for a generator would cost several times as much, and
    there are several blocks for each request.
    """

    __slots__ = ("_before", "_context", "_request_id")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._context = get_current() or _bare()
        self._before = self._context.resource_uuid
        self._context.resource_uuid = shown(self._request_id)

    def __exit__(self, *_: object) -> None:
        self._context.resource_uuid = self._before


def logged(request_id: str) -> AbstractContextManager[None]:
    """Have what this thread logs in the block carry a function request's id."""
    return _Logged(request_id)


def concerns(request_id: str) -> None:
    """Have all that this thread logs from now on, of what its context is of, carry the id."""
    context = get_current() or _bare()
    context.resource_uuid = shown(request_id)


def carried(work: Callable[[], None]) -> Callable[[], None]:
    """Return work for another thread, which then logs what it does as this thread would now."""
    context = get_current()
    request_id = None if context is None else context.resource_uuid
    if request_id is None:
        return work

    def carry() -> None:
        with logged(request_id):
            work()

    return carry


def one_line(record: logging.LogRecord) -> bool:
    """Keep a text on its line, as a filter of a handler: it may hold what others have sent."""
    text = record.getMessage()
    if not text.isprintable():
        record.msg = "".join(each if each.isprintable() else _escaped(each) for each in text)
        record.args = None
    return True


def plain(record: logging.LogRecord) -> bool:
    """Have a record hold its text and none of the objects that it is made of, as a filter of a
    handler: what writes JSON would look into them, and some have no end.
    """
    record.msg = record.getMessage()
    record.args = None
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def shown(request_id: str) -> str:
    """Return an id as a log line may hold it: one line, and not endless."""
    text = request_id if request_id.isprintable() else ascii(request_id)
    return text[:_MOST_CHARACTERS]


def _bare() -> RequestContext:
    """Return the context, from now on, of a thread that handles no HTTP request."""
    context = RequestContext()
    context.request_id = ""  # it makes one up, which would stand for nothing
    return context
