"""How much a collector still takes of each attempt's log. Pure.

Nodes cut what is printed, and one that does not would have all of it stored: 4,096 pieces of
64 KiB. What was taken is counted here and not in the store, so collectors count each for itself,
and one that is started again counts anew.
"""

from collections import OrderedDict

from pratai_common import limits
from pratai_common.messages import LogPiece

MOST_PIECES = 4096
"""Of an attempt: two a second for half an hour, which no honest node comes near."""

_MOST_ATTEMPTS = 10_000
"""So many are counted, those that printed last: more than run at a time and print much."""


class LogRoom:
    """See the module."""

    def __init__(self, most_attempts: int = _MOST_ATTEMPTS) -> None:
        self._most_attempts = most_attempts
        self._taken: OrderedDict[tuple[str, int], int] = OrderedDict()

    def cut(self, piece: LogPiece) -> bytes | None:
        """Return what is stored of a piece, with a mark where the rest is cut; ``None`` where
        nothing is.
        """
        size = len(piece.content)
        if size > limits.LOG_CHUNK_BYTES or piece.seq >= MOST_PIECES:
            return None
        attempt = (piece.request_id, piece.attempt)
        room = limits.MAX_LOG_BYTES - self._taken.pop(attempt, 0)
        self._taken[attempt] = limits.MAX_LOG_BYTES - room + size
        if len(self._taken) > self._most_attempts:
            self._taken.popitem(last=False)
        if room < 0:
            return None
        return piece.content if size <= room else piece.content[:room] + limits.LOG_CUT_MARK
