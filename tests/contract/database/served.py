"""Sources of one database's events, and a door that tells what came through it."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from oslo_config import cfg

from pratai_agent.sources.base import Happened, SourceError, StoppedError
from pratai_agent.sources.database import DatabaseSource
from pratai_common.clock import now_ms
from pratai_common.records import Event
from tests.contract.store.records import event
from tests.postgresql import Database
from tests.waiting import until

SLOT_WAITS = "the slot is made once all open transactions have ended"
KEYLESS = (
    "public.keyless without a key: updates and deletes there are not delivered; "
    "a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, changes that"
)

Take = Callable[[Sequence[Happened]], None]


class Doorway:
    """A door that keeps what is handed over, unless ``take`` says otherwise."""

    def __init__(self, take: Take | None = None) -> None:
        self.happened: list[Happened] = []
        self.states: list[tuple[str, str | None]] = []
        self.errors: list[str] = []
        self._take = take
        self._stop = threading.Event()
        self.ended = False

    def take(self, happened: Sequence[Happened]) -> None:
        if self._take is not None:
            self._take(happened)
        self.happened += happened

    def state(self, state: str, note: str | None = None) -> None:
        self.states.append((state, note))

    def dead(self, error: str) -> None:
        self.errors.append(error)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        return self._stop.wait(seconds)

    def stop(self) -> None:
        self._stop.set()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(each.payload) for each in self.happened]

    def until(self, count: int) -> list[dict[str, Any]]:
        """Return what was handed over once it is so much; it stays at that."""
        until(lambda: len(self.happened) >= count, f"{count} changes arrive")
        assert len(self.happened) == count
        return self.rows


class Events:
    """Sources of one database's events."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        self._conf = conf
        self.database = database

    def event(self, **settings: Any) -> Event:
        return event(
            event_id=str(uuid.uuid4()),
            source="database",
            settings=self.database.settings(**settings),
            updated_at=now_ms(),
        )

    def source(self, event: Event, door: Doorway, secret: str | None = None) -> DatabaseSource:
        password = self.database.server.password if secret is None else secret
        return DatabaseSource(self._conf, event, password, door)

    @contextmanager
    def serving(
        self,
        event: Event,
        door: Doorway | None = None,
        secret: str | None = None,
        until_state: str = "running",
    ) -> Iterator[Doorway]:
        """Serve an event while the block runs, in which its slot is there from the start."""
        door = door or Doorway()
        source = self.source(event, door, secret)
        raised: list[BaseException] = []

        def serve() -> None:
            try:
                source.serve()
            except StoppedError:
                pass
            except BaseException as error:  # noqa: BLE001 - raised again, where it is looked for
                raised.append(error)
            door.ended = True

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            until(lambda: door.ended or until_state in dict(door.states), "the source runs")
            yield door
        finally:
            door.stop()
            thread.join()
        if raised:
            raise raised[0]

    def refused(self, event: Event, secret: str | None = None) -> str:
        """Return what is said of an event that cannot be served."""
        with pytest.raises(SourceError) as caught:
            self.source(event, Doorway(), secret).serve()
        assert self.database.server.password not in str(caught.value)
        return str(caught.value)
