"""How much waits in the store, and for how long: asked by a thread of its own, every few seconds,
while this scheduler acts.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 5.0


class Waits(NamedTuple):
    """How many requests wait, and for how many seconds the one could have run that is due for
    longest: none where none is due.
    """

    requests: int
    oldest_seconds: float


class Backlog:
    """See the module. ``acts`` says whether this scheduler does: of several, one tells."""

    def __init__(self, store: Store, acts: Callable[[], bool], clock: Clock) -> None:
        self._store = store
        self._acts = acts
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="backlog", daemon=True)
        self.waits: Waits | None = None
        """As it was when the store was asked last; ``None`` where that is not known."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Ask once."""
        try:
            self.waits = self._look() if self._acts() else None
        except StoreUnavailableError as error:
            self.waits = None
            LOG.debug("how much waits is not known: %s", error)

    def _look(self) -> Waits:
        now = self._clock()
        due = self._store.due_requests(now, 1)
        oldest = max((now - each.next_run_at for each in due), default=0)
        return Waits(self._store.count_waiting().total, max(0, oldest) / 1000)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except Exception:
                self.waits = None
                LOG.exception("how much waits is not known")
            self._ended.wait(LOOK_SECONDS)
