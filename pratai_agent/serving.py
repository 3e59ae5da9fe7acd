"""One event's source, in a thread of its own: it serves the event, or cleans up a deleted one."""

import logging
import threading
import time
from collections.abc import Callable

from pratai_agent.door import EventDoor
from pratai_agent.pauses import LONGEST_SECONDS, Pauses
from pratai_agent.report import Report
from pratai_agent.sources.base import Door, Source, SourceError, Standby, StoppedError
from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Event
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
Make = Callable[[Event, Door], Source]
STANDBY_SECONDS = 5.0
OTHERS_MS = 3000
"""So long after an event's deletion no other agent serves it any more, and none makes anew what is
removed."""

CLEANING_MS = 24 * 3600 * 1000
"""What could not be removed for so long after an event's deletion is left where it is."""


class Serving:
    """Runs a source, again and again, until it is stopped. ``make`` makes one; it may raise
    SourceError.
    """

    def __init__(
        self, event: Event, make: Make, door: EventDoor, report: Report, store: Store, clock: Clock
    ) -> None:
        self.event = event
        self.report = report
        self._make = make
        self._door = door
        self._store = store
        self._clock = clock
        self._pauses = Pauses()
        self._tried = False
        self._work = self._serve if event.deleted_at is None else self._clean
        self._thread = threading.Thread(
            target=self._run, name=f"event {event.event_id}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the source to end; ``ended`` says when it has."""
        self._door.stop()

    def join(self, seconds: float) -> None:
        """Wait for its end, so long at most."""
        self._thread.join(max(0.0, seconds))

    @property
    def stopping(self) -> bool:
        """Say whether it is told to end."""
        return self._door.stopping

    @property
    def ended(self) -> bool:
        """Say whether nothing is done any more."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause: float | None = 0.0
        while pause is not None and not self._door.wait(pause):
            pause = self._attempt()

    def _attempt(self) -> float | None:
        """Work until that ends; returns in how many seconds to try again, ``None`` for never."""
        began = time.monotonic()
        try:
            self._work()
        except StoppedError:
            return None
        except Standby:
            self.report.state("standby")
            return STANDBY_SECONDS
        except SourceError as error:
            self._failed(str(error))
        except StoreUnavailableError as error:
            self._failed(f"the store is unavailable: {error}")
        except Exception:
            LOG.exception("event %s failed unexpectedly", self.event.event_id)
            self._failed("an error that was not foreseen; the agent's log has it")
        else:
            return None
        return self._pause(began)

    def _pause(self, began: float) -> float:
        if time.monotonic() - began > LONGEST_SECONDS:
            self._pauses.reset()
        return self._pauses.next()

    def _serve(self) -> None:
        self._make(self.event, self._door).serve()
        if not self._door.stopping:
            raise SourceError("the source ended by itself")

    def _clean(self) -> None:
        since = self._clock() - (self.event.deleted_at or 0)
        if self._door.wait(min(max(0, OTHERS_MS - since), OTHERS_MS) / 1000):
            raise StoppedError
        if self._tried and since > CLEANING_MS:
            LOG.error("event %s is forgotten, and not cleaned up", self.event.event_id)
        else:
            self._tried = True
            self._make(self.event, self._door).clean()
        self._store.remove_event(self.event.event_id)

    def _failed(self, error: str) -> None:
        if not self._door.stopping:
            self.report.failing(error)
            LOG.warning("event %s is failing: %s", self.event.event_id, error)
