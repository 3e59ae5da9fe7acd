"""Keeps a source running for every event that has one, and what the store says of it true."""

import logging
import time
from collections.abc import Callable, Collection, Iterable

from pratai_agent.report import Report
from pratai_agent.serving import Serving
from pratai_agent.states import States
from pratai_agent.turns import taking_turns
from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Event
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
CLEANINGS = 10
"""Deleted events that are cleaned up at a time: they take no place of those that are served."""

Serve = Callable[[Event, Report], Serving]


class Keeper:
    """See the module. At most so many sources run at a time, of the ``kinds`` that are known here,
    and ``CLEANINGS`` of deleted events beside them. ``look`` may raise StoreUnavailableError; what
    runs goes on, and the next one catches up.
    """

    def __init__(
        self,
        store: Store,
        states: States,
        serve: Serve,
        kinds: Collection[str],
        most: int,
        clock: Clock,
    ) -> None:
        self._store = store
        self._states = states
        self._serve = serve
        self.kinds = frozenset(kinds)
        self._most = most
        self._clock = clock
        self._servings: dict[str, Serving] = {}
        self._reports: dict[str, Report] = {}

    def look(self) -> None:
        """Start, stop and start again what is to be, and write how all stand."""
        events = [each for each in self._store.sourced_events() if each.source in self.kinds]
        living = [each for each in events if each.enabled and not _deleted(each)]
        deleted = [each for each in events if _deleted(each)]
        served = frozenset(self._servings)
        wanted = chosen(living, served, self._most) | chosen(deleted, served, CLEANINGS)
        self._stop_others(wanted)
        for event in wanted.values():
            if event.event_id not in self._servings:
                self._start(event)
        for event in living:
            if event.event_id not in wanted:
                self._refuse(event)
        self._forget(wanted.keys() | {each.event_id for each in living})
        for event in events:
            self._write(event)

    def stands(self) -> list[tuple[str, str]]:
        """Return of each event that has a place here its source, and how that stands; also for
        other threads.
        """
        servings = list(self._servings.values())
        return [(each.event.source, each.report.current.state) for each in servings]

    def stop(self, seconds: float) -> bool:
        """Stop all sources and forget how they stood; returns whether all ended within so long."""
        ends = time.monotonic() + seconds
        for serving in self._servings.values():
            serving.stop()
        for serving in self._servings.values():
            serving.join(ends - time.monotonic())
        try:
            for event_id in self._reports:
                self._states.write(event_id, None)
        except StoreUnavailableError as error:
            LOG.warning("the states of sources were not removed: %s", error)
        return all(serving.ended for serving in self._servings.values())

    def _stop_others(self, wanted: dict[str, Event]) -> None:
        """Stop what serves an event as it is no longer, and let go of it when it has ended."""
        for event_id, serving in list(self._servings.items()):
            event = wanted.get(event_id)
            if event is None or _version(event) != _version(serving.event):
                serving.stop()
            if serving.stopping and serving.ended:
                del self._servings[event_id]

    def _start(self, event: Event) -> None:
        """Start a source, unless what gives way to it has not ended yet."""
        report = self._report(event)
        alike = [
            each for each in self._servings.values() if _deleted(each.event) == _deleted(event)
        ]
        if len(alike) >= (CLEANINGS if _deleted(event) else self._most):
            return
        report.begin()
        serving = self._serve(event, report)
        serving.start()
        self._servings[event.event_id] = serving

    def _refuse(self, event: Event) -> None:
        """Say that there is no place for an event, once."""
        report, why = self._report(event), f"this agent serves {self._most} events already"
        if (report.current.state, report.current.error) != ("failing", why):
            report.failing(why)

    def _report(self, event: Event) -> Report:
        return self._reports.setdefault(event.event_id, Report(self._clock))

    def _forget(self, wanted: Collection[str]) -> None:
        """Forget how sources stood that are neither wanted nor there."""
        for event_id in self._reports.keys() - wanted - self._servings.keys():
            del self._reports[event_id]

    def _write(self, event: Event) -> None:
        report, stored = self._reports.get(event.event_id), self._states.own(event)
        due = stored is not None if report is None else report.due(stored)
        if due or self._states.has_dead(event):
            self._states.write(event.event_id, None if report is None else report.current)
            if report is not None:
                report.written()


def chosen(events: Iterable[Event], served: Collection[str], most: int) -> dict[str, Event]:
    """Return which events have a place, by id. Projects take turns, so one that wants few places
    has them, and the one with most gives way. What is ``served`` keeps its place otherwise, and
    older events come before others.
    """
    first = sorted(
        events, key=lambda each: (each.event_id not in served, each.created_at, each.event_id)
    )
    return {each.event_id: each for each in taking_turns(first)[:most]}


def _deleted(event: Event) -> bool:
    return event.deleted_at is not None


def _version(event: Event) -> tuple[int, int | None]:
    """Return what changes whenever somebody changes an event."""
    return event.updated_at, event.deleted_at
