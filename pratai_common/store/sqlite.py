"""The embedded store: one SQLite file, shared by the processes of one machine.

Write-ahead log with ``synchronous=FULL``: a committed write survives power loss. Each record is a
JSON document beside the columns that queries need, the same shape a document store has.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from oslo_config import cfg
from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from pratai_common import conf as configuration
from pratai_common.decoding import json_decoder
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import (
    Body,
    Event,
    Function,
    LogChunk,
    Record,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store import sqlite_counts, sqlite_waiting
from pratai_common.store import sqlite_rows as rows
from pratai_common.store import sqlite_schema as schema
from pratai_common.store import sqlite_statements as statements
from pratai_common.store.base import (
    Code,
    Created,
    EventFilter,
    FunctionFilter,
    NewRequest,
    Page,
    Position,
    RequestChange,
    RequestFilter,
    Store,
    Waiting,
)
from pratai_common.store.coalescer import Coalescer
from pratai_common.store.group_commit import driver_of, told
from pratai_common.store.parts import Delegating
from pratai_common.store.sqlite_access import Access
from pratai_common.store.sqlite_cluster import Cluster
from pratai_common.store.sqlite_events import Events, Subscriptions
from pratai_common.store.sqlite_keys import Keys
from pratai_common.store.sqlite_readers import Readers
from pratai_common.store.sqlite_remembered import Remembered

R = TypeVar("R", bound=Record)
T = TypeVar("T")
_MOST_IDS = 1000


class SQLiteStore(Delegating, Store):
    """See :class:`Store`. One object serves all threads of a process."""

    def __init__(self, path: Path) -> None:
        self._access = Access(path)
        self._events = Events(self._access)
        self._subscriptions = Subscriptions(self._access)
        self._keys = Keys(self._access)
        self._cluster = Cluster(self._access)
        self._hot = Readers(path)
        self._finding: Coalescer[str, Function | None] = Coalescer(self._find, _MOST_IDS, lanes=1)
        self._functions = Remembered(path.with_name(f"{path.name}-functions"), self._finding.run)
        self._path = path

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "SQLiteStore":
        """Open the database that the configuration names."""
        path = conf.store.sqlite_path or configuration.state_path(conf, "store.sqlite")
        return cls(Path(path))

    def create_schema(self) -> None:
        """Make the file, and the tables and indexes that are not there, however long it takes."""
        try:
            self._path.touch()
        except OSError as error:
            raise StoreUnavailableError(str(error)) from error
        self._access.writer.run(_make, patience_seconds=None)

    def schema_gaps(self) -> list[str]:
        """See Store. No file is made; without its folder there is none to be made, either."""
        if not self._path.parent.is_dir():
            raise StoreUnavailableError(f"there is no {self._path.parent}")
        if not self._path.is_file():
            return [f"there is no {self._path}"]
        return self._access.read(schema.gaps)

    def close(self) -> None:
        """Finish writes and close the file."""
        self._access.close()
        self._hot.close()

    # Functions and versions

    def create_function(self, function: Function) -> None:
        """See Store."""

        def work(connection: Connection) -> None:
            _require_free_name(connection, function)
            connection.execute(insert(schema.functions).values(schema.function_row(function)))
            rows.put_endpoint(connection, function)

        self._write_functions(work)

    def get_functions(self, function_ids: Sequence[str]) -> dict[str, Function]:
        """See Store."""
        return self._functions.get(function_ids) if function_ids else {}

    def list_functions(
        self, project_id: str | None, which: FunctionFilter, page: Page
    ) -> list[Function]:
        """See Store."""
        table = schema.functions
        query = select(table.c.doc).where(table.c.deleted.is_(False))
        for name, value in which._asdict().items():
            if value is not None:
                query = query.where(schema.field(table, name) == value)
        paged = rows.paged(query, table, table.c.function_id, project_id, page)
        return self._access.records(paged, Function)

    def change_function(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        """See Store."""
        table = schema.functions
        where = table.c.function_id == function_id

        def work(connection: Connection) -> Function | None:
            after = rows.change(connection, table, where, Function, apply, schema.function_row)
            if after is not None and after.deleted_at is None:
                _require_free_name(connection, after)
                rows.put_endpoint(connection, after)
            return after

        return self._write_functions(work)

    def count_code(self, project_id: str) -> Code:
        """See Store."""
        return self._access.read(lambda connection: sqlite_counts.code(connection, project_id))

    def function_of_endpoint(self, token: str) -> Function | None:
        """See Store."""
        table = schema.functions
        query = (
            select(table.c.doc)
            .join(schema.endpoints, schema.endpoints.c.function_id == table.c.function_id)
            .where(schema.endpoints.c.token == token, table.c.deleted.is_(False))
        )
        return next(iter(self._access.records(query, Function)), None)

    def create_version(self, version: Version) -> bool:
        """See Store."""
        return self._access.added(schema.versions, schema.version_row(version))

    def list_versions(self, function_id: str) -> list[Version]:
        """See Store."""
        table = schema.versions
        query = (
            select(table.c.doc).where(table.c.function_id == function_id).order_by(table.c.number)
        )
        return self._access.records(query, Version)

    def change_version(
        self, function_id: str, number: int, apply: Callable[[Version], Version | None]
    ) -> Version | None:
        """See Store."""
        table = schema.versions
        where = (table.c.function_id == function_id) & (table.c.number == number)
        return self._access.change(table, where, Version, apply, schema.version_row)

    # Requests

    def create_requests(self, new: Sequence[NewRequest]) -> list[Created]:
        """See Store."""
        return self._access.writer.run_alike(_create, new)

    def get_requests(self, request_ids: Sequence[str]) -> dict[str, Request]:
        """See Store."""
        found = self._by_ids(statements.REQUESTS, request_ids, Request)
        return {record.request_id: record for record in found}

    def list_requests(
        self, project_id: str | None, which: RequestFilter, page: Page
    ) -> list[Request]:
        """See Store."""
        table = schema.requests
        query = select(table.c.doc).where(table.c.kind == "run")
        for name in ("function_id", "status", "source", "parent_id", "root_id"):
            value = getattr(which, name)
            if value is not None:
                query = query.where(schema.field(table, name) == value)
        if which.dead is not None:
            query = query.where(schema.DEAD if which.dead else schema.DEAD.is_not(True))
        paged = rows.paged(query, table, table.c.request_id, project_id, page)
        return self._access.records(paged, Request)

    def due_requests(
        self,
        now: int,
        limit: int,
        besides: Collection[str] = (),
        besides_projects: Collection[str] = (),
    ) -> list[Request]:
        """See Store."""
        table = schema.requests
        query = (
            select(table.c.doc)
            .where(schema.PENDING, table.c.next_run_at <= now)
            .order_by(table.c.next_run_at)
            .limit(limit)
        )
        left_out = ((table.c.function_id, besides), (table.c.project_id, besides_projects))
        for column, values in left_out:
            if values:
                query = query.where(~statements.among(column, statements.as_list(list(values))))
        return self._access.records(query, Request)

    def count_waiting(self) -> Waiting:
        """See Store."""
        return self._access.read(sqlite_waiting.count)

    def count_requests(self, project_id: str) -> dict[Status, int]:
        """See Store."""
        return self._access.read(lambda connection: sqlite_counts.requests(connection, project_id))

    def running_requests(self, limit: int) -> list[Request]:
        """See Store."""
        table = schema.requests
        query = (
            select(table.c.doc).where(schema.RUNNING).order_by(schema.RUNNING_SINCE).limit(limit)
        )
        return self._access.records(query, Request)

    def following_requests(self, before: int, limit: int) -> list[Request]:
        """See Store."""
        query = (
            select(schema.requests.c.doc)
            .where(schema.FOLLOWING, before > schema.ENDED_AT)
            .order_by(schema.ENDED_AT)
            .limit(limit)
        )
        return self._access.records(query, Request)

    def change_requests(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        """See Store."""

        def work(connection: Connection) -> list[Request | None]:
            driver = driver_of(connection)
            return [statements.change(driver, change) for change in changes]

        return self._access.writer.run(work)

    def get_input(self, request_id: str) -> Body | None:
        """See Store."""
        return self._body(request_id, "input")

    def get_result(self, request_id: str) -> Body | None:
        """See Store."""
        return self._body(request_id, "result")

    def _body(self, request_id: str, part: str) -> Body | None:
        found = self._rows(statements.BODY, {"request_id": request_id, "part": part})
        return next((Body(sha256=row[0], size=row[1], content=row[2]) for row in found), None)

    # Logs

    def add_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        """See Store."""
        if not chunks:
            return
        values = [msgspec.structs.asdict(chunk) for chunk in chunks]
        statement = insert(schema.log_chunks).on_conflict_do_nothing()
        self._access.execute(statement, values)

    def log_chunks(
        self, request_id: str, after: Position | None = None, limit: int | None = None
    ) -> list[LogChunk]:
        """See Store."""
        table = schema.log_chunks
        place = (table.c.attempt, table.c.seq)
        query = select(table).where(table.c.request_id == request_id)
        query = query.order_by(*place).limit(limit)
        if after is not None:
            query = query.where(tuple_(*place) > tuple_(*after))
        found = self._access.read(lambda connection: connection.execute(query).mappings().all())
        return [LogChunk(**row) for row in found]

    # Retention

    def delete_ended_requests(self, before: int, limit: int) -> int:
        """See Store."""
        return self._access.writer.run(
            lambda connection: rows.delete_ended(connection, before, limit)
        )

    # Events and subscriptions

    def create_event(self, event: Event) -> None:
        """See Store."""
        self._events.create(event)

    def get_events(self, event_ids: Sequence[str]) -> dict[str, Event]:
        """See Store."""
        return self._events.get(event_ids)

    def list_events(self, project_id: str | None, which: EventFilter, page: Page) -> list[Event]:
        """See Store."""
        return self._events.listed(project_id, which, page)

    def sourced_events(self) -> list[Event]:
        """See Store."""
        return self._events.sourced()

    def change_event(self, event_id: str, apply: Callable[[Event], Event | None]) -> Event | None:
        """See Store."""
        return self._events.change(event_id, apply)

    def remove_event(self, event_id: str) -> None:
        """See Store."""
        self._events.remove(event_id)

    def create_subscription(self, subscription: Subscription) -> None:
        """See Store."""
        self._subscriptions.create(subscription)

    def get_subscriptions(self, subscription_ids: Sequence[str]) -> dict[str, Subscription]:
        """See Store."""
        return self._subscriptions.get(subscription_ids)

    def list_subscriptions(self, kind: str, changed_since: int = 0) -> list[Subscription]:
        """See Store."""
        return self._subscriptions.of_kind(kind, changed_since)

    def count_subscriptions(self, project_id: str, kind: str) -> int:
        """See Store."""
        return self._subscriptions.count(project_id, kind)

    def subscriptions_of(self, function_id: str) -> list[Subscription]:
        """See Store."""
        return self._subscriptions.of(function_id)

    def subscriptions_to(self, event_ids: Sequence[str]) -> list[Subscription]:
        """See Store."""
        found = self._by_ids(statements.SUBSCRIPTIONS_TO, event_ids, Subscription)
        return sorted(found, key=lambda each: each.subscription_id)

    def change_subscription(
        self, subscription_id: str, apply: Callable[[Subscription], Subscription | None]
    ) -> Subscription | None:
        """See Store."""
        return self._subscriptions.change(subscription_id, apply)

    def delete_subscription(self, subscription_id: str) -> None:
        """See Store."""
        self._subscriptions.delete(subscription_id)

    def _write_functions(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._access.writer.run(work)
        finally:
            self._functions.changed()

    # Reading

    def _find(self, function_ids: list[str]) -> list[Function | None]:
        """Return functions, for several callers perhaps: each call to a function looks for one."""
        found = self._by_ids(statements.FUNCTIONS, list(dict.fromkeys(function_ids)), Function)
        by_id = {each.function_id: each for each in found}
        return [by_id.get(each) for each in function_ids]

    def _by_ids(self, statement: str, ids: Sequence[str], kind: type[R]) -> list[R]:
        found = self._rows(statement, {"ids": statements.as_list(ids)})
        decode = json_decoder(kind).decode
        return [decode(row[0]) for row in found]

    def _rows(self, statement: str, values: dict[str, str]) -> list[Any]:
        """Run a compiled statement, which is a transaction of its own."""
        try:
            return self._hot.rows(statement, values)
        except sqlite3.Error as error:
            raise told(error) from error


def _make(connection: Connection) -> None:
    schema.create(connection)
    sqlite_waiting.create(connection)


def _require_free_name(connection: Connection, function: Function) -> None:
    table = schema.functions
    rows.require_free_name(connection, table, table.c.function_id, function, function.function_id)


def _create(connection: Connection, new: Sequence[NewRequest]) -> list[Created]:
    return statements.create(driver_of(connection), new)
