"""How many lines of a log somebody else may cause: what strangers and hostile nodes do is told, and
fills no disk.
"""

import threading
import time
from collections.abc import Callable

_LINES = 60
_SECONDS = 60.0


class Ration:
    """So many lines in so many seconds; those held back are counted. May be used by any thread."""

    def __init__(
        self,
        lines: int = _LINES,
        seconds: float = _SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._ends = clock() + seconds
        self._left = lines
        self._held_back = 0

    def take(self) -> str | None:
        """Return what is to stand behind a line, which says how many were held back before it;
        ``None`` where it is held back, too.
        """
        with self._lock:
            now = self._clock()
            if now >= self._ends:
                self._ends, self._left = now + self._seconds, self._lines
            if not self._left:
                self._held_back += 1
                return None
            self._left -= 1
            held_back, self._held_back = self._held_back, 0
            return f" (and {held_back} such lines before it)" if held_back else ""
