"""Records synchronous calls behind their answers: many in one write, on a thread of its own.

So whoever calls next does not wait for the disk. What it holds is in the spools of nodes as well,
which send it again until it is recorded.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from pratai_common.errors import StoreUnavailableError
from pratai_scheduler.collector import AnsweredCall

LOG = logging.getLogger(__name__)
PAUSE_SECONDS = 0.05
"""For so long calls gather: they are to be readable within a second."""

MOST = 2048
"""More are not held: whoever brings them records them, and takes no more meanwhile."""

_MOST_IN_A_WRITE = 256


class Recorder:
    """Records, from ``start`` to ``stop``. ``close`` is called by its thread at its end."""

    def __init__(
        self, pause_seconds: float = PAUSE_SECONDS, close: Callable[[], None] = lambda: None
    ) -> None:
        self._pause_seconds = pause_seconds
        self._close = close
        self._record: Callable[[Sequence[AnsweredCall]], None]
        self._waiting: deque[AnsweredCall] = deque()
        self._some = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)

    def start(self, record: Callable[[Sequence[AnsweredCall]], None]) -> None:
        """Begin."""
        self._record = record
        self._thread.start()

    def stop(self) -> None:
        """Record what waits, and end."""
        self._ended.set()
        self._some.set()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Return how many calls wait to be recorded."""
        return len(self._waiting)

    def put(self, calls: Sequence[AnsweredCall]) -> bool:
        """Have calls recorded; ``False`` where too many wait already."""
        if len(self._waiting) + len(calls) > MOST:
            return False
        self._waiting.extend(calls)
        self._some.set()
        return True

    def _serve(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self._ended.wait(self._pause_seconds)
            self._some.clear()
            self._write()
        self._write()  # what came between the last look and the end
        self._close()

    def _write(self) -> None:
        while self._waiting:
            size = min(len(self._waiting), _MOST_IN_A_WRITE)
            calls = [self._waiting.popleft() for _ in range(size)]
            if not self._written(calls) and size > 1:
                # One of them may be at fault: it keeps the others from the store no longer.
                for call in calls:
                    self._written([call])

    def _written(self, calls: Sequence[AnsweredCall]) -> bool:
        """Record calls; ``False`` where that failed though the store is there. Their nodes bring
        again what was not recorded.
        """
        try:
            self._record(calls)
        except StoreUnavailableError as error:
            LOG.warning("%d calls are not recorded yet: %s", len(calls), error)
        except Exception:
            LOG.exception("%d calls are not recorded", len(calls))
            return False
        return True
