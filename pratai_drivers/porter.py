"""The thread of a node that alone waits for the API, while large outputs are brought there."""

import queue
import threading
from collections.abc import Callable

from pratai_common.log_context import logged
from pratai_drivers.spool import Key


class Porter:
    """Calls ``bring`` with each key that it is given, from ``start`` to ``stop``; one that waits
    for its turn already is not called for twice. May be used from many threads.
    """

    def __init__(self) -> None:
        self._bring: Callable[[Key], None]
        self._queue: queue.SimpleQueue[Key | None] = queue.SimpleQueue()
        self._waiting: set[Key] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="porter", daemon=True)

    def start(self, bring: Callable[[Key], None]) -> None:
        """Begin."""
        self._bring = bring
        self._thread.start()

    def stop(self) -> None:
        """Begin no more; what was not brought stays in the spool."""
        self._queue.put(None)

    def put(self, key: Key) -> None:
        """Have a result brought."""
        with self._lock:
            if key in self._waiting:
                return
            self._waiting.add(key)
        self._queue.put(key)

    def _serve(self) -> None:
        while (key := self._queue.get()) is not None:
            with self._lock:
                self._waiting.discard(key)
            with logged(key[0]):
                self._bring(key)
