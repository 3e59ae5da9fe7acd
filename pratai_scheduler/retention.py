"""Lets go of requests that ended long ago: a thread of the scheduler that acts.

Ids of requests come from their causes, so a cause is known again for as long as its request is
kept.
"""

import logging
import threading

from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import Store
from pratai_scheduler.leadership import Leadership

LOG = logging.getLogger(__name__)
DAY_MS = 24 * 60 * 60 * 1000
BATCH = 500
"""So many requests are deleted in one go: other writes wait no longer than that takes."""


class Retention:
    """Deletes what ended more than ``days`` ago, every ``seconds``, from ``start`` to ``stop``."""

    def __init__(
        self, store: Store, leadership: Leadership, clock: Clock, days: int, seconds: float = 60
    ) -> None:
        self._store = store
        self._leadership = leadership
        self._clock = clock
        self._days = days
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being deleted."""
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._delete()
            except StoreUnavailableError as error:
                LOG.warning("old requests were not deleted: %s", error)

    def _delete(self) -> None:
        deleted, more = 0, True
        while more and not self._ended.is_set() and self._leadership.active(self._clock()):
            before = self._clock() - self._days * DAY_MS
            count = self._store.delete_ended_requests(before, BATCH)
            deleted += count
            more = count == BATCH
        if deleted:
            LOG.info("deleted %d requests that ended more than %d days ago", deleted, self._days)
