"""What a simulated store keeps, and what its lists see of it."""

import operator
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pratai_common.api_key import ApiKey
from pratai_common.errors import NameTakenError
from pratai_common.records import (
    Body,
    Daemon,
    Event,
    Function,
    LogChunk,
    Record,
    Request,
    Subscription,
    Version,
)
from pratai_common.store.base import Page

K = TypeVar("K")
R = TypeVar("R", bound=Record)
T = TypeVar("T")
N = TypeVar("N", Function, Event)


class Table(Generic[K, R]):
    """Records of one kind by key. Records are immutable, so none is ever copied.

    ``listed`` is what lists see: ``rows`` themselves, or what they were at the last ``refresh``
    where lists lag.
    """

    def __init__(self, lists_lag: bool) -> None:
        self.rows: dict[K, R] = {}
        self._lags = lists_lag
        self.listed: dict[K, R] = {} if lists_lag else self.rows

    def refresh(self) -> None:
        """Let lists see what was written until now."""
        if self._lags:
            self.listed = self.rows.copy()

    def change(
        self, key: K, apply: Callable[[R], R | None], check: Callable[[R], None] | None = None
    ) -> R | None:
        """Change a record, unless ``check`` refuses what it would become; returns it as it is
        afterwards, if it exists.
        """
        old = self.rows.get(key)
        new = None if old is None else apply(old)
        if new is None:
            return old
        if check is not None:
            check(new)
        self.rows[key] = new
        return new


class Held(NamedTuple):
    """A lease; that of a holder ``""`` was released."""

    holder: str
    epoch: int
    ends_at: int


class Contents:
    """What is stored. Daemons share one, each by a store of its own, as they share a server.

    With ``lists_lag``, what a list shows is as old as the last ``refresh``.
    """

    def __init__(self, lists_lag: bool = False) -> None:
        self.lock = threading.RLock()
        self.made = False
        self.functions: Table[str, Function] = Table(lists_lag)
        self.versions: Table[tuple[str, int], Version] = Table(lists_lag)
        self.requests: Table[str, Request] = Table(lists_lag)
        self.log_chunks: Table[tuple[str, int, int], LogChunk] = Table(lists_lag)
        self.events: Table[str, Event] = Table(lists_lag)
        self.subscriptions: Table[str, Subscription] = Table(lists_lag)
        self.daemons: Table[tuple[str, str], Daemon] = Table(lists_lag)
        self.inputs: dict[str, Body] = {}
        self.results: dict[str, Body] = {}
        self.keys: dict[str, ApiKey] = {}
        self.leases: dict[str, Held] = {}
        self.marks: dict[str, int] = {}

    def refresh(self) -> None:
        """Let all lists see what was written until now."""
        with self.lock:
            for table in (
                self.functions,
                self.versions,
                self.requests,
                self.log_chunks,
                self.events,
                self.subscriptions,
                self.daemons,
            ):
                table.refresh()


def matches(record: Record, which: NamedTuple) -> bool:
    """Say whether a record has the values of a filter."""
    wanted = zip(which._fields, which, strict=True)
    return all(value is None or getattr(record, name) == value for name, value in wanted)


def paged(
    table: Table[str, R], project_id: str | None, shown: Callable[[R], bool], page: Page
) -> list[R]:
    """Return those of a project's records, or of all, that are ``shown``, as Page says."""

    def owned(record: Any) -> bool:
        return project_id is None or record.project_id == project_id

    def place(item: tuple[str, R]) -> tuple[Any, str]:
        return getattr(item[1], page.sort), item[0]

    found = [item for item in table.listed.items() if owned(item[1]) and shown(item[1])]
    if page.marker is not None:
        marked = table.rows.get(page.marker)
        if marked is None or not owned(marked):
            return []
        behind, mark = operator.lt if page.descending else operator.gt, place((page.marker, marked))
        found = [item for item in found if behind(place(item), mark)]
    found.sort(key=place, reverse=page.descending)
    return [record for _, record in found[: page.limit]]


def require_free_name(table: Table[str, N], identity: str, named: N) -> None:
    """Raise NameTakenError where another living record of the project has the name."""
    if named.deleted_at is not None:
        return
    for key, other in table.rows.items():
        same = other.name == named.name and other.project_id == named.project_id
        if same and other.deleted_at is None and key != identity:
            raise NameTakenError(named.name)


def found(rows: dict[str, T], ids: Sequence[str]) -> dict[str, T]:
    return {each: rows[each] for each in ids if each in rows}
