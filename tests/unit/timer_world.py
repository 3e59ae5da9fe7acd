"""Timers of agents with clocks of their own, over one store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pratai_agent.timers import Timers
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Subscription
from pratai_common.store.base import Page, RequestFilter, Store
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from tests.archives import in_folder
from tests.records import function

HOUR_MS = 3600 * 1000


def timer(subscription_id: str = "s", **values: Any) -> Subscription:
    """Return a timer of a second's interval, made at 10 s."""
    given = {"frequency_ms": 1000, "since": 10_000, "created_at": 10_000, **values}
    given.setdefault("project_id", "p")
    return Subscription(
        subscription_id=subscription_id,
        function_id="f1",
        user_id="u",
        kind="timer",
        **given,
    )


class Flaky:
    """A store whose methods fail by chance, before or after they have done their work."""

    def __init__(self, store: Store, fails: Callable[[], bool]) -> None:
        self._store = store
        self._fails = fails

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*arguments: Any) -> Any:
            if self._fails():
                raise StoreUnavailableError(f"{name} was not done")
            result = method(*arguments)
            if self._fails():
                raise StoreUnavailableError(f"nothing is known of {name}")
            return result

        return call


class TimerWorld:
    """A store with the function ``f1``, and agents. ``sent`` is what the scheduler was told."""

    def __init__(self, folder: Path, now: int = 10_000) -> None:
        self.store = SQLiteStore(folder / "store.sqlite")
        self.store.create_schema()
        self.store.create_function(function())
        self.archives = in_folder(folder / "archives")
        self.now = now
        self.sent: list[object] = []

    def agent(self, ahead: int = 0, store: Store | None = None) -> Timers:
        """Return a new agent's timers; its clock may be ahead."""

        def clock() -> int:
            return self.now + ahead

        own = store or self.store
        return Timers(own, Submitter(own, self.archives, self.sent.append, clock), clock)

    def at(self, now: int, *agents: Timers) -> None:
        """Have agents look at a time."""
        self.now = now
        for each in agents:
            each.look()

    def recorded(self, subscription_id: str = "s", project_id: str = "p") -> list[int]:
        """Return when the ticks of a timer were due that became requests, in order."""
        found = self.store.list_requests(project_id, RequestFilter(source="timer"), Page(100_000))
        events: list[Any] = [each.event for each in found]
        names = [each["id"].split("/") for each in events]
        return sorted(int(due_at) for name, due_at in names if name == subscription_id)
