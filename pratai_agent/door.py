"""Where an event's source hands over what happened: see ``Door`` in ``sources/base.py``."""

import logging
import threading
from collections.abc import Sequence
from typing import Literal

from pratai_agent.pauses import Pauses
from pratai_agent.report import Report
from pratai_agent.sources.base import Happened, StoppedError
from pratai_common.admission import RETRY_SECONDS
from pratai_common.clock import Clock, iso
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.publishing import Occurrence, Publisher
from pratai_common.records import Event

LOG = logging.getLogger(__name__)


class EventDoor:
    """The door of one event's source."""

    def __init__(self, event: Event, publisher: Publisher, report: Report, clock: Clock) -> None:
        self._event = event
        self._publisher = publisher
        self._report = report
        self._clock = clock
        self._stopping = threading.Event()

    def take(self, happened: Sequence[Happened]) -> None:
        """Record what follows from this; raises StoppedError where that could not be done."""
        occurrences = [self._occurrence(each) for each in happened]
        pauses = Pauses()
        waited = False
        while (pause := self._publish(occurrences, pauses)) is not None:
            waited = True
            if self.wait(pause):
                raise StoppedError
        if waited:
            self._report.state("running", self._report.current.note)
        self._report.took(len(happened), sum(not each.own_id for each in happened))

    def state(self, state: Literal["connecting", "running"], note: str | None = None) -> None:
        """Say how the source stands."""
        self._report.state(state, note)

    def dead(self, error: str) -> None:
        """Count something that was put aside."""
        self._report.dead(error)

    @property
    def stopping(self) -> bool:
        """Say whether the source is to end soon."""
        return self._stopping.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, until told to stop at most; returns whether that is so."""
        return self._stopping.wait(seconds)

    def stop(self) -> None:
        """Tell the source to end."""
        self._stopping.set()

    def _publish(self, occurrences: Sequence[Occurrence], pauses: Pauses) -> float | None:
        """Publish; returns in how many seconds to try again, ``None`` where it is done."""
        try:
            self._publisher.publish(occurrences)
        except StoreUnavailableError as error:
            LOG.warning("event %s waits for the store: %s", self._event.event_id, error)
            self._report.failing("what came cannot be recorded: the store or archives are away")
            return pauses.next()
        except OverloadedError as error:
            LOG.debug("event %s waits for room: %s", self._event.event_id, error)
            self._report.failing(f"what came waits: {error}")
            return RETRY_SECONDS
        return None

    def _occurrence(self, happened: Happened) -> Occurrence:
        attributes = {
            "specversion": "1.0",
            "id": happened.id,
            "source": f"/v1/events/{self._event.event_id}",
            "type": f"pratai.{self._event.source}",
            "time": iso(self._clock()),
            "datacontenttype": "application/json",
            **happened.attributes,
        }
        return Occurrence(
            event=self._event, id=happened.id, payload=happened.payload, attributes=attributes
        )
