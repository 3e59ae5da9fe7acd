"""What a run prints, cut into pieces that leave the node while it runs.

A piece leaves every ``LOG_CHUNK_SECONDS`` or ``LOG_CHUNK_BYTES``, whichever comes first; at most
``LOG_BYTES_PER_RUN`` leave in all, with a mark where the rest was cut.
"""

import math
from collections.abc import Callable

from pratai_common import limits
from pratai_drivers.masking import NO_MASK, Mask


class LogCutter:
    """Cuts one attempt's output; ``emit`` gets each piece's number and bytes.

    ``now`` arguments are seconds on any clock that only goes forward. What ``mask`` hides leaves in
    no piece.
    """

    def __init__(self, emit: Callable[[int, bytes], None], mask: Mask = NO_MASK) -> None:
        self._emit = emit
        self._mask = mask
        self._buffer = bytearray()
        self._oldest: float | None = None
        self._room = limits.LOG_BYTES_PER_RUN
        self._cut = False
        self.chunks = 0

    def write(self, output: bytes, now: float) -> None:
        """Take what was printed."""
        if not self._cut:  # nobody sees what comes behind, so nothing is looked for in it
            self._take(self._mask.feed(output), now)
        self.flush_due(now)

    def cut(self) -> None:
        """Leave out what comes: something was lost before it, maybe half a value."""
        if not self._cut:
            self._take(self._mask.rest(cut=True), -math.inf)
            self._end()
        self._empty()

    def _take(self, output: bytes, now: float) -> None:
        taken = output[: self._room]
        self._room -= len(taken)
        self._buffer += taken
        if len(taken) < len(output):
            self._end()
        if self._buffer and self._oldest is None:
            self._oldest = now
        while len(self._buffer) >= limits.LOG_CHUNK_BYTES:
            self._piece(limits.LOG_CHUNK_BYTES)

    def _end(self) -> None:
        if not self._cut:
            self._cut = True
            self._buffer += limits.LOG_CUT_MARK

    def flush_due(self, now: float) -> None:
        """Let go of what has waited long enough."""
        if self._oldest is not None and now - self._oldest >= limits.LOG_CHUNK_SECONDS:
            self._empty()

    def flush(self, *, whole: bool = True) -> None:
        """Let go of everything: nothing more comes, or it has nothing to do with what came, which
        is not ``whole`` where its end was lost.
        """
        if not self._cut:
            self._take(self._mask.rest(cut=not whole), -math.inf)
        self._empty()

    def _empty(self) -> None:
        while self._buffer:
            self._piece(limits.LOG_CHUNK_BYTES)

    def _piece(self, size: int) -> None:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._emit(self.chunks, piece)
        self.chunks += 1
        if not self._buffer:
            self._oldest = None
