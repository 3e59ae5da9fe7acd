"""What a run prints, cut into pieces that leave the node while it runs.

A piece leaves every ``LOG_CHUNK_SECONDS`` or ``LOG_CHUNK_BYTES``, whichever comes first; at most
``LOG_BYTES_PER_RUN`` leave in all, with a mark where the rest was cut.
"""

from collections.abc import Callable

from pratai_common import limits

CUT_MARK = b"\n[the output was cut here: more than 1 MiB]\n"


class LogCutter:
    """Cuts one attempt's output; ``emit`` gets each piece's number and bytes.

    ``now`` arguments are seconds on any clock that only goes forward.
    """

    def __init__(self, emit: Callable[[int, bytes], None]) -> None:
        self._emit = emit
        self._buffer = bytearray()
        self._oldest: float | None = None
        self._room = limits.LOG_BYTES_PER_RUN
        self._cut = False
        self.chunks = 0

    def write(self, output: bytes, now: float) -> None:
        """Take what was printed."""
        taken = output[: self._room]
        self._room -= len(taken)
        self._buffer += taken
        if len(taken) < len(output) and not self._cut:
            self._cut = True
            self._buffer += CUT_MARK
        if self._buffer and self._oldest is None:
            self._oldest = now
        while len(self._buffer) >= limits.LOG_CHUNK_BYTES:
            self._piece(limits.LOG_CHUNK_BYTES)
        self.flush_due(now)

    def flush_due(self, now: float) -> None:
        """Let go of what has waited long enough."""
        if self._oldest is not None and now - self._oldest >= limits.LOG_CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Let go of everything."""
        while self._buffer:
            self._piece(limits.LOG_CHUNK_BYTES)

    def _piece(self, size: int) -> None:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._emit(self.chunks, piece)
        self.chunks += 1
        if not self._buffer:
            self._oldest = None
