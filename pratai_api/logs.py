"""Logs as text: whole, or followed while they grow. Read and sent some pieces at a time."""

import socket
import time
from collections.abc import Callable, Iterator
from itertools import chain

from flask import Response
from flask import request as http_request

from pratai_api.services import services
from pratai_common import limits
from pratai_common.clock import Clock
from pratai_common.records import LogChunk, Request
from pratai_common.store.base import Position, Store

_LOOK_SECONDS = 0.3
_LATE_SECONDS = 3.0
"""How long pieces may come behind the end of their request, and the store's list behind them."""
_LOST = b"[a piece of the log was lost here]\n"
_PIECES_AT_A_TIME = 64
"""Of 64 KiB at most: so much of a log is in memory."""

_BEHIND_ALL = 2**31
"""No piece has such a number."""


class LogText:
    """Puts pieces together, with a mark wherever one is missing or another attempt begins.

    Two collectors store them, so one may be there before the one in front of it is: ``gap`` says
    that the last ``add`` ended at such a place. Each collector bounds an attempt's log for itself,
    so it is bounded here once more: what is behind the cut is not read.
    """

    def __init__(self) -> None:
        self.position: Position | None = None
        self.gap = False
        self._lost_in: int | None = None
        self._room = limits.MAX_LOG_BYTES

    def add(self, chunks: list[LogChunk], patient: bool = False) -> bytes:
        """Return the text of the pieces that come next, with ``patient`` as far as none lacks."""
        parts: list[bytes] = []
        self.gap = False
        for chunk in chunks:
            former = self.position
            if former is not None and chunk.attempt == former.attempt and chunk.seq <= former.seq:
                continue  # it is behind the cut
            if patient and self._misses(chunk):
                self.gap = True
                break
            if former is not None and chunk.attempt != former.attempt:
                parts.append(f"[attempt {chunk.attempt}]\n".encode())
                self._room = limits.MAX_LOG_BYTES
            if self._misses(chunk):
                parts.append(_LOST)
                self._lost_in = chunk.attempt
            shown = chunk.content[: self._room]
            self._room -= len(shown)
            parts.append(shown)
            self.position = Position(chunk.attempt, chunk.seq)
            if len(shown) < len(chunk.content):
                parts.append(limits.LOG_CUT_MARK)
                self.position = Position(chunk.attempt, _BEHIND_ALL)
        return b"".join(parts)

    def whole(self, request: Request) -> bool:
        """Say whether everything that a finished request printed has been added."""
        return not self._lacks(request) and self._lost_in != max(1, request.attempt)

    def end(self, request: Request | None) -> bytes:
        """Return what stands at the end: a mark where pieces of the last attempt are missing."""
        return _LOST if request is not None and self._lacks(request) else b""

    def _misses(self, chunk: LogChunk) -> bool:
        """Say whether a piece is not the one that comes next."""
        former = self.position
        if former is not None and chunk.attempt == former.attempt:
            return chunk.seq != former.seq + 1
        return chunk.seq != 0

    def _lacks(self, request: Request) -> bool:
        seen = 0
        if self.position is not None and self.position.attempt == max(1, request.attempt):
            seen = self.position.seq + 1
        return request.log_chunks is not None and seen < request.log_chunks


def answer(read: Callable[[], Request | None], request_id: str, follow: bool) -> Response:
    """Answer a request's log; ``read`` returns the request as it is now, if it exists."""
    store = services().store
    if not follow:
        pieces = _printed(store, read, request_id, services().clock)
        first = next(pieces, b"")  # now: where the store is away, that is the answer
        return Response(chain([first], pieces), mimetype="text/plain")
    waits = services().follows
    waits.enter()
    connection = http_request.environ.get("gunicorn.socket")
    pieces = _follow(store, read, request_id, lambda: _hung_up(connection))
    response = Response(pieces, mimetype="text/plain")
    response.call_on_close(waits.leave)
    return response


def _printed(
    store: Store, read: Callable[[], Request | None], request_id: str, clock: Clock
) -> Iterator[bytes]:
    """Yield what was printed so far; of what has only just ended, until that is whole."""
    text, ends = LogText(), time.monotonic() + _LATE_SECONDS
    while True:
        request = read()
        patient = _just_ended(request, clock) and time.monotonic() < ends
        yield from _unread(store, request_id, text, patient)
        if not patient or request is None or text.whole(request):
            break
        time.sleep(_LOOK_SECONDS)
    yield from _some(text.end(request))


def _just_ended(request: Request | None, clock: Clock) -> bool:
    ended = None if request is None else request.finished_at
    return ended is not None and clock() < ended + _LATE_SECONDS * 1000


def _follow(
    store: Store,
    read: Callable[[], Request | None],
    request_id: str,
    hung_up: Callable[[], bool],
) -> Iterator[bytes]:
    text, ends = LogText(), time.monotonic() + limits.MAX_FOLLOW_SECONDS
    yield b""  # sends the headers, before anything is printed
    late: float | None = None
    gap_since: float | None = None
    while True:
        request = read()  # before its pieces: what is final now was printed before
        now = time.monotonic()
        stood = gap_since is not None and now >= gap_since + _LATE_SECONDS
        patient = not stood and (late is None or now < late)
        yield from _unread(store, request_id, text, patient)
        gap_since = (gap_since or now) if text.gap else None
        if request is None or request.status.final:
            late = late or now + _LATE_SECONDS
            if request is None or text.whole(request) or now >= late:
                break
        if now >= ends or hung_up():
            return
        time.sleep(_LOOK_SECONDS)
    yield from _some(text.end(request))


def _unread(store: Store, request_id: str, text: LogText, patient: bool) -> Iterator[bytes]:
    """Yield what is stored behind the end of a text, as far as none lacks where it is patient."""
    while True:
        chunks = store.log_chunks(request_id, text.position, _PIECES_AT_A_TIME)
        yield from _some(text.add(chunks, patient))
        if len(chunks) < _PIECES_AT_A_TIME or text.gap:
            return


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
