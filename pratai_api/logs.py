"""Logs as text: whole, or followed while they grow."""

import socket
import time
from collections.abc import Callable, Iterator

from flask import Response
from flask import request as http_request

from pratai_api.services import services
from pratai_common import limits
from pratai_common.records import LogChunk, Request
from pratai_common.store.base import Position, Store

_LOOK_SECONDS = 0.3
_LATE_SECONDS = 3.0
"""How long pieces may come behind the end of their request, and the store's list behind them."""
_LOST = b"[a piece of the log was lost here]\n"


class LogText:
    """Puts pieces together, with a mark wherever one is missing or another attempt begins."""

    def __init__(self) -> None:
        self.position: Position | None = None

    def add(self, chunks: list[LogChunk]) -> bytes:
        """Return the text of the pieces that come next."""
        parts: list[bytes] = []
        for chunk in chunks:
            former = self.position
            if former is not None and chunk.attempt != former.attempt:
                parts.append(f"[attempt {chunk.attempt}]\n".encode())
            same = former is not None and chunk.attempt == former.attempt
            if chunk.seq != (former.seq + 1 if same and former is not None else 0):
                parts.append(_LOST)
            parts.append(chunk.content)
            self.position = Position(chunk.attempt, chunk.seq)
        return b"".join(parts)

    def whole(self, request: Request) -> bool:
        """Say whether everything that a finished request printed has been added."""
        return not self._lacks(request)

    def end(self, request: Request | None) -> bytes:
        """Return what stands at the end: a mark where pieces of the last attempt are missing."""
        return _LOST if request is not None and self._lacks(request) else b""

    def _lacks(self, request: Request) -> bool:
        seen = 0
        if self.position is not None and self.position.attempt == max(1, request.attempt):
            seen = self.position.seq + 1
        return request.log_chunks is not None and seen < request.log_chunks


def answer(read: Callable[[], Request | None], request_id: str, follow: bool) -> Response:
    """Answer a request's log; ``read`` returns the request as it is now, if it exists."""
    store = services().store
    if not follow:
        return Response(_printed(store, read, request_id), mimetype="text/plain")
    waits = services().follows
    waits.enter()
    connection = http_request.environ.get("gunicorn.socket")
    pieces = _follow(store, read, request_id, lambda: _hung_up(connection))
    response = Response(pieces, mimetype="text/plain")
    response.call_on_close(waits.leave)
    return response


def _printed(store: Store, read: Callable[[], Request | None], request_id: str) -> bytes:
    """Return what was printed so far; of what has only just ended, once that is whole."""
    ends = time.monotonic() + _LATE_SECONDS
    while True:
        text, request = LogText(), read()
        content = text.add(store.log_chunks(request_id))
        late = request is not None and not text.whole(request) and _just_ended(request)
        if not late or time.monotonic() >= ends:
            return content + text.end(request)
        time.sleep(_LOOK_SECONDS)


def _just_ended(request: Request) -> bool:
    ended = request.finished_at
    return ended is not None and services().clock() < ended + _LATE_SECONDS * 1000


def _follow(
    store: Store,
    read: Callable[[], Request | None],
    request_id: str,
    hung_up: Callable[[], bool],
) -> Iterator[bytes]:
    text, ends = LogText(), time.monotonic() + limits.MAX_FOLLOW_SECONDS
    yield b""  # sends the headers, before anything is printed
    late: float | None = None
    while True:
        request = read()  # before its pieces: what is final now was printed before
        yield from _some(text.add(store.log_chunks(request_id, text.position)))
        now = time.monotonic()
        if request is None or request.status.final:
            late = late or now + _LATE_SECONDS
            if request is None or text.whole(request) or now >= late:
                break
        if now >= ends or hung_up():
            return
        time.sleep(_LOOK_SECONDS)
    yield from _some(text.end(request))


def _hung_up(connection: socket.socket | None) -> bool:
    """Say whether the client has gone: while nothing is printed, no write would find it out."""
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _some(content: bytes) -> Iterator[bytes]:
    if content:
        yield content
