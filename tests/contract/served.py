"""Sources of events as the agent runs them, on a store that tells what came of it."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oslo_config import cfg

from pratai_agent.door import EventDoor
from pratai_agent.plugins import Kinds
from pratai_agent.report import Report
from pratai_agent.serving import Serving
from pratai_agent.sources.base import Door, Source
from pratai_common.clock import now_ms
from pratai_common.publishing import Publisher
from pratai_common.records import Event, Request, SourceState
from pratai_common.store.base import Page, RequestFilter
from pratai_common.submit import Submitter
from tests.archives import in_folder
from tests.contract.store.records import event, subscription
from tests.records import function
from tests.unit.world import Away
from tests.waiting import until


class Events:
    """Events of one kind of source, each with a function that subscribes to it."""

    def __init__(self, conf: cfg.ConfigOpts, folder: Path, kinds: Kinds) -> None:
        self.conf = conf
        self.store = Away(folder / "store.sqlite")
        self.store.create_schema()
        self._kinds = kinds
        archives = in_folder(folder / "archives")
        submitter = Submitter(self.store, archives, lambda _message: True, now_ms)
        self.publisher = Publisher(self.store, submitter)

    def add(self, source: str, settings: dict[str, Any], **values: Any) -> Event:
        """Return a new event."""
        name = str(uuid.uuid4())
        added = event(event_id=name, name=name, source=source, settings=settings, **values)
        self.store.create_event(added)
        self.store.create_function(function(function_id=name, name=name))
        self.store.create_subscription(
            subscription(
                subscription_id=name,
                function_id=name,
                event_id=name,
                kind="message",
                frequency_ms=None,
            )
        )
        return added

    def source(self, event: Event, secret: str | None, door: Door) -> Source:
        return self._kinds[event.source](self.conf, event, secret, door)

    @contextmanager
    def serving(self, event: Event, secret: str | None) -> Iterator["Served"]:
        """Serve an event while the block runs, as an agent does."""
        report = Report(now_ms)
        door = EventDoor(event, self.publisher, report, now_ms)
        serving = Serving(
            event,
            lambda event, door: self.source(event, secret, door),
            door,
            report,
            self.store,
            now_ms,
        )
        serving.start()
        try:
            yield Served(self, event, report)
        finally:
            serving.stop()
            serving.join(60)
            assert serving.ended


class Served:
    """What an event that is served says, and the requests of its function."""

    def __init__(self, events: Events, event: Event, report: Report) -> None:
        self._store = events.store
        self.event = event
        self._report = report

    @property
    def state(self) -> SourceState:
        return self._report.current

    def runs(self) -> "Served":
        """Wait until it runs."""
        until(lambda: self.state.state == "running", "the source runs")
        return self

    def fails(self) -> str:
        """Wait until it fails; returns why."""
        until(lambda: self.state.state == "failing", "the source fails")
        return str(self.state.error)

    def waits(self) -> str:
        """Wait until it connects, with something to be said; returns that."""
        until(lambda: self.state.state == "connecting" and self.state.note, "it says why it waits")
        return str(self.state.note)

    def requests(self) -> list[Request]:
        """Return the function's requests, the oldest first."""
        which = RequestFilter(function_id=self.event.event_id)
        return self._store.list_requests("p", which, Page(10_000, descending=False))

    def requests_once(self, count: int) -> list[Request]:
        """Return them once they are so many, and all that is to come was taken."""
        until(lambda: self.state.received >= count, f"{count} are taken")
        return self.requests()

    def payloads(self, requests: list[Request]) -> list[Any]:
        """Return what came in with requests."""
        bodies = [self._store.get_input(each.request_id) for each in requests]
        return [json.loads((each and each.content) or b"") for each in bodies]
