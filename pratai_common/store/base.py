"""What every store does. ``tests/contract/store`` says it again, to each implementation.

Writes are durable when a method returns: they survive kill -9 of every process and power loss.
Any method may raise StoreUnavailableError, after which nothing is known of the write. The same
object serves again when the store is back.

A change is a pure function from the old record to the new one, or to ``None`` for "leave it". It
may be called several times (another process got in between), and exactly one of its results is
kept, so one party's decision never overwrites another's that it has not seen. What it raises, the
method raises, and then it has written nothing.

What is read by id is as last written by anyone; so are a function's versions and subscriptions,
the subscriptions to an event, the function of an endpoint, and a project's API keys. Other lists
may miss what was written within the last second, and show what has changed since.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, NamedTuple

from oslo_config import cfg
from stevedore import driver

from pratai_common.records import (
    Body,
    Event,
    Function,
    FunctionStatus,
    LogChunk,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store.parts import Coordination, KeyRecords


class NewRequest(NamedTuple):
    """A request to create, with what came in, and its result where it has ended already."""

    request: Request
    input: Body | None
    result: Body | None = None


class Created(NamedTuple):
    """What lies in the store after a creation: the new request, or the one that was there."""

    request: Request
    new: bool


class Changed(NamedTuple):
    """A changed request and, where it ended with one, its result."""

    request: Request
    result: Body | None = None


class RequestChange(NamedTuple):
    """A change to make to one request."""

    request_id: str
    apply: Callable[[Request], Changed | None]


class Page(NamedTuple):
    """Which part of a list: up to ``limit`` records behind the one named ``marker``, newest
    first unless said otherwise. Requests have no ``name`` to sort by.

    Ids decide the order of equals. A deleted function still is a marker; behind one that names no
    record of the project, or of any where the list is of all projects, there is nothing.
    """

    limit: int
    marker: str | None = None
    sort: Literal["created_at", "name"] = "created_at"
    descending: bool = True


class FunctionFilter(NamedTuple):
    """Which functions a list holds; ``None`` lets all pass."""

    name: str | None = None
    status: FunctionStatus | None = None
    type: str | None = None
    event: str | None = None
    runtime: str | None = None


class RequestFilter(NamedTuple):
    """Which requests a list holds; ``None`` lets all pass."""

    function_id: str | None = None
    status: Status | None = None
    source: str | None = None
    dead: bool | None = None
    parent_id: str | None = None
    root_id: str | None = None


class EventFilter(NamedTuple):
    """Which events a list holds; ``None`` lets all pass."""

    name: str | None = None
    source: str | None = None


class Waiting(NamedTuple):
    """How many requests wait, queued or scheduled: all of them, and those of each project that has
    any (of the ten thousand that have most, at least).
    """

    total: int
    by_project: dict[str, int]


class Code(NamedTuple):
    """How many living functions there are, and how many bytes the zips of all their versions have
    together: of equal ones there is but one.
    """

    functions: int
    size: int


class Position(NamedTuple):
    """Where in a request's logs a reader is."""

    attempt: int
    seq: int


class Store(KeyRecords, Coordination):
    """Records by id, in the lists that the API shows, and in the order in which work is due."""

    @classmethod
    @abstractmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Store":
        """Open the store that the configuration names."""

    @abstractmethod
    def create_schema(self) -> None:
        """Make or upgrade what the store needs; repeating it changes nothing."""

    @abstractmethod
    def schema_gaps(self) -> list[str]:
        """Return what ``create_schema`` would make or upgrade, in words; writes nothing. Raises
        StoreUnavailableError also where what is there is of a later release.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish writes, and let go of files and connections. Later writes raise
        StoreUnavailableError.
        """

    @abstractmethod
    def create_function(self, function: Function) -> None:
        """Add a function; raises NameTakenError if a living one has its name in the project."""

    @abstractmethod
    def get_functions(self, function_ids: Sequence[str]) -> dict[str, Function]:
        """Return those of the functions that exist, deleted ones included, by id."""

    @abstractmethod
    def list_functions(
        self, project_id: str | None, which: FunctionFilter, page: Page
    ) -> list[Function]:
        """Return a project's living functions in the page's order; those of all projects, for an
        administrator, where it is ``None``.
        """

    @abstractmethod
    def count_code(self, project_id: str) -> Code:
        """Return how much code a project has, as last written by anyone."""

    @abstractmethod
    def function_of_endpoint(self, token: str) -> Function | None:
        """Return the living function whose ``endpoint_token`` this is; no former one counts."""

    @abstractmethod
    def change_function(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        """Change a function; returns it as it is afterwards, ``None`` if it does not exist.

        Raises NameTakenError where the change gives it the name of another living function.
        """

    @abstractmethod
    def create_version(self, version: Version) -> bool:
        """Add a version; ``False`` where that number exists already."""

    @abstractmethod
    def list_versions(self, function_id: str) -> list[Version]:
        """Return a function's versions, oldest first."""

    @abstractmethod
    def change_version(
        self, function_id: str, number: int, apply: Callable[[Version], Version | None]
    ) -> Version | None:
        """Change a version; returns it as it is afterwards, ``None`` if it does not exist."""

    @abstractmethod
    def create_requests(self, new: Sequence[NewRequest]) -> list[Created]:
        """Record requests that do not exist yet; returns what is stored under each id, in order.

        Where a request can be read, so can what it was created with.
        """

    @abstractmethod
    def get_requests(self, request_ids: Sequence[str]) -> dict[str, Request]:
        """Return those of the requests that exist, by id, as last written by anyone."""

    @abstractmethod
    def list_requests(
        self, project_id: str | None, which: RequestFilter, page: Page
    ) -> list[Request]:
        """Return a project's requests of kind ``run`` in the page's order; those of all projects,
        for an administrator, where it is ``None``.
        """

    @abstractmethod
    def due_requests(
        self,
        now: int,
        limit: int,
        besides: Collection[str] = (),
        besides_projects: Collection[str] = (),
    ) -> list[Request]:
        """Return queued and scheduled requests with ``next_run_at <= now``, longest due first.

        Of all projects and kinds, but of none of the functions ``besides``, nor of the projects
        ``besides_projects``.
        """

    @abstractmethod
    def count_waiting(self) -> Waiting:
        """Return how many requests are queued or scheduled, of all kinds, however many that are:
        it costs little, and is asked every second.
        """

    @abstractmethod
    def count_requests(self, project_id: str) -> dict[Status, int]:
        """Return how many requests of kind ``run`` a project has in each status that any has. It
        may miss the last second, and costs the more the more there are.
        """

    @abstractmethod
    def running_requests(self, limit: int) -> list[Request]:
        """Return running requests, longest running first: by ``started_at``, or by ``created_at``
        where that is not known. Of all projects and kinds.
        """

    @abstractmethod
    def following_requests(self, before: int, limit: int) -> list[Request]:
        """Return ended requests that are ``following`` and ended before a moment, longest ended
        first. Of all projects.
        """

    @abstractmethod
    def change_requests(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        """Make changes to requests, each alone and in their order; returns each request as it is
        afterwards, if it exists. A result stays what it was first written as.
        """

    @abstractmethod
    def get_input(self, request_id: str) -> Body | None:
        """Return what came in with a request, ``None`` if nothing did."""

    @abstractmethod
    def get_result(self, request_id: str) -> Body | None:
        """Return what a request ended with, ``None`` if it has no result."""

    @abstractmethod
    def add_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        """Add pieces of logs; one that is there already stays as it is."""

    @abstractmethod
    def log_chunks(
        self, request_id: str, after: Position | None = None, limit: int | None = None
    ) -> list[LogChunk]:
        """Return the pieces of a request's logs by attempt and number, all or those behind one,
        ``limit`` at most.
        """

    @abstractmethod
    def delete_ended_requests(self, before: int, limit: int) -> int:
        """Delete requests that ended before a moment, longest ended first, with what came in, what
        came out and their logs; returns how many, ``limit`` at most. Of all projects and kinds.
        """

    @abstractmethod
    def create_event(self, event: Event) -> None:
        """Add an event, which is in lists when this returns; raises NameTakenError if a living one
        has its name in the project.
        """

    @abstractmethod
    def get_events(self, event_ids: Sequence[str]) -> dict[str, Event]:
        """Return those of the events that exist, deleted ones that are kept included, by id."""

    @abstractmethod
    def list_events(self, project_id: str | None, which: EventFilter, page: Page) -> list[Event]:
        """Return a project's living events in the page's order; those of all projects, for an
        administrator, where it is ``None``.
        """

    @abstractmethod
    def sourced_events(self) -> list[Event]:
        """Return the events of all projects that more than the API publishes on, by id, deleted
        ones that are kept included.
        """

    @abstractmethod
    def change_event(self, event_id: str, apply: Callable[[Event], Event | None]) -> Event | None:
        """Change an event; returns it as it is afterwards, ``None`` if it does not exist.

        Raises NameTakenError where the change gives it the name of another living event.
        """

    @abstractmethod
    def remove_event(self, event_id: str) -> None:
        """Forget an event; one that is not there is no error."""

    @abstractmethod
    def create_subscription(self, subscription: Subscription) -> None:
        """Add a subscription."""

    @abstractmethod
    def get_subscriptions(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        """Return those of the subscriptions that exist, by id, as last written by anyone."""

    @abstractmethod
    def list_subscriptions(self, kind: str, changed_since: int = 0) -> list[Subscription]:
        """Return the enabled subscriptions of a kind, of all projects, by id: those that were
        ``updated_at`` (or else ``created_at``) that moment or later. Of functions whatever their
        state.
        """

    @abstractmethod
    def count_subscriptions(self, project_id: str, kind: str) -> int:
        """Return how many subscriptions of a kind a project has, enabled or not, as last written
        by anyone. Of functions whatever their state.
        """

    @abstractmethod
    def subscriptions_of(self, function_id: str) -> list[Subscription]:
        """Return a function's subscriptions, oldest first."""

    @abstractmethod
    def subscriptions_to(self, event_ids: Sequence[str]) -> list[Subscription]:
        """Return the enabled subscriptions whose ``event_id`` is one of these, by id. Of functions
        whatever their state.
        """

    @abstractmethod
    def change_subscription(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        """Change a subscription; returns it as it is afterwards, if it exists."""

    @abstractmethod
    def delete_subscription(self, subscription_id: str) -> None:
        """Remove a subscription; one that is not there is no error."""


def open_store(conf: cfg.ConfigOpts) -> Store:
    """Open the store that the configuration names."""
    plugin: Any = driver.DriverManager("pratai.stores", conf.store.driver)
    store: Store = plugin.driver.from_conf(conf)
    return store
