"""An agent's sources over a store: those of the kind ``probe`` do what a test tells them to."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from oslo_config import cfg

from pratai_agent.door import EventDoor
from pratai_agent.keeper import Keeper
from pratai_agent.plugins import Maker
from pratai_agent.report import Report
from pratai_agent.serving import Serving
from pratai_agent.sources.base import Source
from pratai_agent.states import States
from pratai_common.beat import Witness
from pratai_common.clock import now_ms
from pratai_common.daemon import describe
from pratai_common.publishing import Publisher
from pratai_common.records import Event, Request, SourceState, Subscription
from pratai_common.sealing import Sealer
from pratai_common.store.base import Page, RequestFilter, Store
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from tests.archives import KEY, in_folder
from tests.records import function
from tests.waiting import until

Do = Callable[[Source], None]


def run(source: Source) -> None:
    """Run until told to stop."""
    source.door.state("running")
    source.door.wait(60)


class SourceWorld:
    """``serve`` and ``clean`` are what probes do; ``made`` are all that there were."""

    def __init__(self, folder: Path, most: int = 10) -> None:
        self.store: Store = SQLiteStore(folder / "store.sqlite")
        self.store.create_schema()
        self.store.create_function(function())
        self.submitter = Submitter(self.store, in_folder(folder / "a"), lambda _: None, now_ms)
        self.publisher = Publisher(self.store, self.submitter)
        self.serve: Do = run
        self.clean: Do = lambda _: None
        self.made: list[Source] = []
        self.sealer = Sealer(KEY, "event")
        self.keeper = self.new_keeper("me", most)
        self.ended = threading.Event()

    def new_keeper(self, daemon_id: str, most: int = 10) -> Keeper:
        """Return the keeper of an agent, which lives."""
        now = now_ms()
        self.store.put_daemon(describe("agent", daemon_id, now, now, 0, None))
        states = States(self.store, daemon_id, Witness(), now_ms)
        return Keeper(self.store, states, self._serving, ["probe"], most, now_ms)

    def _serving(self, event: Event, report: Report) -> Serving:
        world = self

        class Probe(Source):
            def serve(self) -> None:
                world.made.append(self)
                world.serve(self)

            def clean(self) -> None:
                world.clean(self)

        make = Maker(cfg.ConfigOpts(), {"probe": Probe}, self.sealer)
        door = EventDoor(event, self.publisher, report, now_ms)
        return Serving(event, make, door, report, self.store, now_ms)

    def event(self, event_id: str = "e", **values: Any) -> Event:
        """Return a new event, to which the function ``f1`` subscribes."""
        given = {"project_id": "p", "source": "probe", "name": event_id, **values}
        given = {"created_at": 1, "updated_at": 1, **given}
        event = Event(event_id=event_id, user_id="u", **given)
        self.store.create_event(event)
        subscription = Subscription(
            subscription_id=f"s-{event_id}",
            function_id="f1",
            project_id="p",
            user_id="u",
            kind="message",
            event_id=event_id,
            created_at=1,
        )
        self.store.create_subscription(subscription)
        return event

    def change(self, event_id: str = "e", **values: Any) -> None:
        """Change an event as the API does."""

        def apply(old: Event) -> Event:
            return replace(old, **{"updated_at": old.updated_at + 1, **values})

        self.store.change_event(event_id, apply)

    def kept(self, event_id: str = "e") -> Event | None:
        return self.store.get_events([event_id]).get(event_id)

    def state(self, event_id: str = "e") -> SourceState | None:
        """Return what the store says of this agent's source, after a look."""
        self.keeper.look()
        event = self.kept(event_id)
        return None if event is None else event.states.get("me")

    def until_state(self, state: str, event_id: str = "e") -> SourceState:
        def look() -> SourceState | None:
            found = self.state(event_id)
            return found if found is not None and found.state == state else None

        found = until(look, f"event {event_id} is {state}")
        assert found is not None
        return found

    def requests(self) -> list[Request]:
        return self.store.list_requests("p", RequestFilter(), Page(1000))

    def close(self) -> None:
        assert self.keeper.stop(60)
        self.store.close()
