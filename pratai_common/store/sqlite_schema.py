"""The tables of the embedded store: the columns that queries need, and the record as JSON."""

from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    cast,
    func,
    literal_column,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from pratai_common.api_key import ApiKey
from pratai_common.records import (
    FINAL_STATUSES,
    PUBLISHED,
    Body,
    Daemon,
    Event,
    Function,
    Request,
    Status,
    Subscription,
    Version,
)

METADATA = MetaData()


def field(table: Table, name: str) -> ColumnElement[Any]:
    """Return a field of the records: its column, or what JSON says, NULL in older records.

    The path is no parameter: an index on a field is used only by the very same expression.
    """
    if name in table.c:
        return table.c[name]
    return func.json_extract(cast(table.c.doc, Text), literal_column(f"'$.{name}'"))


def _one_of(column: ColumnElement[Any], *statuses: Status) -> ColumnElement[bool]:
    return column.in_([literal_column(f"'{status.value}'") for status in statuses])


functions = Table(
    "functions",
    METADATA,
    Column("function_id", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)
_OWNED = (functions.c.project_id, functions.c.deleted)
Index("functions_by_age", *_OWNED, functions.c.created_at, functions.c.function_id)
Index("functions_named", *_OWNED, functions.c.name, functions.c.function_id)
Index(
    "functions_of_all_projects",
    functions.c.deleted,
    functions.c.created_at,
    functions.c.function_id,
)

endpoints = Table(
    "endpoints",
    METADATA,
    Column("function_id", String, primary_key=True),
    Column("token", String, nullable=False),
)
Index("endpoints_by_token", endpoints.c.token, unique=True)

versions = Table(
    "versions",
    METADATA,
    Column("function_id", String),
    Column("number", Integer),
    Column("doc", LargeBinary, nullable=False),
    PrimaryKeyConstraint("function_id", "number"),
)

requests = Table(
    "requests",
    METADATA,
    Column("request_id", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("function_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("next_run_at", Integer, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)
PENDING = _one_of(requests.c.status, Status.QUEUED, Status.SCHEDULED)
RUNNING = _one_of(requests.c.status, Status.RUNNING)
RUNNING_SINCE = func.coalesce(field(requests, "started_at"), requests.c.created_at)
FINAL = _one_of(requests.c.status, *sorted(FINAL_STATUSES))
ENDED_AT = func.coalesce(field(requests, "finished_at"), requests.c.created_at)
DEAD = field(requests, "dead") == literal_column("1")
PARENT_ID = field(requests, "parent_id")
ROOT_ID = field(requests, "root_id")
FOLLOWING = (field(requests, "following") == literal_column("1")) & FINAL
_LISTED = (requests.c.project_id, requests.c.kind)
_AGE = (requests.c.created_at, requests.c.request_id)
_FUNCTION = requests.c.function_id
Index(
    "requests_waiting",
    requests.c.next_run_at,
    _FUNCTION,
    requests.c.project_id,
    sqlite_where=PENDING,
)
Index("requests_running", RUNNING_SINCE, sqlite_where=RUNNING)
Index("requests_ended", ENDED_AT, sqlite_where=FINAL)
# SQLite takes the index with the most columns that a query names: one for each filter of the list.
Index("requests_by_age", *_LISTED, *_AGE)
Index("requests_of_all_projects", requests.c.kind, *_AGE)
Index("requests_of_status", *_LISTED, requests.c.status, *_AGE)
Index("requests_of_source", *_LISTED, field(requests, "source"), *_AGE)
Index("requests_of_function", *_LISTED, _FUNCTION, *_AGE)
Index("requests_of_function_status", *_LISTED, _FUNCTION, requests.c.status, *_AGE)
Index("requests_dead", *_LISTED, field(requests, "dead"), *_AGE, sqlite_where=DEAD)
Index("requests_of_parent", *_LISTED, PARENT_ID, *_AGE, sqlite_where=PARENT_ID.is_not(None))
Index("requests_of_root", *_LISTED, ROOT_ID, *_AGE, sqlite_where=ROOT_ID.is_not(None))
Index("requests_following", ENDED_AT, sqlite_where=FOLLOWING)

bodies = Table(
    "bodies",
    METADATA,
    Column("request_id", String),
    Column("part", String),
    Column("sha256", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary),
    PrimaryKeyConstraint("request_id", "part"),
)

log_chunks = Table(
    "log_chunks",
    METADATA,
    Column("request_id", String),
    Column("attempt", Integer),
    Column("seq", Integer),
    Column("project_id", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("request_id", "attempt", "seq"),
)

subscriptions = Table(
    "subscriptions",
    METADATA,
    Column("subscription_id", String, primary_key=True),
    Column("function_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)
EVENT_ID = field(subscriptions, "event_id")
SUBSCRIPTION_CHANGED_AT = func.coalesce(
    field(subscriptions, "updated_at"), field(subscriptions, "created_at")
)
Index(
    "subscriptions_by_change",
    subscriptions.c.kind,
    subscriptions.c.enabled,
    SUBSCRIPTION_CHANGED_AT,
)
Index("subscriptions_by_function", subscriptions.c.function_id)
Index("subscriptions_by_project", field(subscriptions, "project_id"), subscriptions.c.kind)
Index(
    "subscriptions_by_event", EVENT_ID, subscriptions.c.enabled, sqlite_where=EVENT_ID.is_not(None)
)

events = Table(
    "events",
    METADATA,
    Column("event_id", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("source", String, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)
SOURCED = events.c.source != literal_column(f"'{PUBLISHED}'")
_EVENT_OWNED = (events.c.project_id, events.c.deleted)
Index("events_by_age", *_EVENT_OWNED, events.c.created_at, events.c.event_id)
Index("events_named", *_EVENT_OWNED, events.c.name, events.c.event_id)
Index("events_of_all_projects", events.c.deleted, events.c.created_at, events.c.event_id)
Index("events_sourced", events.c.event_id, sqlite_where=SOURCED)

api_keys = Table(
    "api_keys",
    METADATA,
    Column("prefix", String, primary_key=True),
    Column("project_id", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("doc", LargeBinary, nullable=False),
)
Index("api_keys_by_age", api_keys.c.project_id, api_keys.c.created_at, api_keys.c.prefix)

daemons = Table(
    "daemons",
    METADATA,
    Column("daemon_type", String),
    Column("daemon_id", String),
    Column("doc", LargeBinary, nullable=False),
    PrimaryKeyConstraint("daemon_type", "daemon_id"),
)

leases = Table(
    "leases",
    METADATA,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("ends_at", Integer, nullable=False),
)

marks = Table(
    "marks",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

_FORMER_INDEXES = (
    "requests_pending",
    "subscriptions_by_kind",
    "functions_by_project",
    "functions_by_name",
    "requests_due",
    "requests_by_project",
    "requests_by_function",
)


def create(connection: Connection) -> None:
    """Make what is not there, and drop the indexes that no query uses any more.

    Indexes are made in the order of their names: where two would do, SQLite's planner takes one by
    their order, and a table's indexes are a set, which has another order in each process.
    """
    for table in METADATA.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))
    for name in _FORMER_INDEXES:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")


def gaps(connection: Connection) -> list[str]:
    """Return what ``create`` would change, in words."""
    there = set(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars())
    wanted = [
        f"{what} {name}"
        for table in METADATA.sorted_tables
        for what, name in (
            ("table", table.name),
            *(("index", index.name) for index in sorted(table.indexes, key=lambda i: str(i.name))),
        )
        if name not in there
    ]
    former = [f"index {name} of a former release" for name in _FORMER_INDEXES if name in there]
    return [*(f"{each} is missing" for each in wanted), *(f"{each} is there" for each in former)]


def function_row(function: Function) -> dict[str, Any]:
    """Return the row of a function."""
    return {
        "function_id": function.function_id,
        "project_id": function.project_id,
        "name": function.name,
        "deleted": function.deleted_at is not None,
        "created_at": function.created_at,
        "doc": msgspec.json.encode(function),
    }


def version_row(version: Version) -> dict[str, Any]:
    """Return the row of a version."""
    return {
        "function_id": version.function_id,
        "number": version.number,
        "doc": msgspec.json.encode(version),
    }


def request_row(request: Request) -> dict[str, Any]:
    """Return the row of a request."""
    return {
        "request_id": request.request_id,
        "project_id": request.project_id,
        "function_id": request.function_id,
        "kind": request.kind,
        "status": request.status.value,
        "next_run_at": request.next_run_at,
        "created_at": request.created_at,
        "doc": msgspec.json.encode(request),
    }


def body_row(request_id: str, part: str, body: Body) -> dict[str, Any]:
    """Return the row of a request's body: its ``input`` or its ``result``."""
    return {
        "request_id": request_id,
        "part": part,
        "sha256": body.sha256,
        "size": body.size,
        "content": body.content,
    }


def event_row(event: Event) -> dict[str, Any]:
    """Return the row of an event."""
    return {
        "event_id": event.event_id,
        "project_id": event.project_id,
        "name": event.name,
        "source": event.source,
        "deleted": event.deleted_at is not None,
        "created_at": event.created_at,
        "doc": msgspec.json.encode(event),
    }


def subscription_row(subscription: Subscription) -> dict[str, Any]:
    """Return the row of a subscription."""
    return {
        "subscription_id": subscription.subscription_id,
        "function_id": subscription.function_id,
        "kind": subscription.kind,
        "enabled": subscription.enabled,
        "doc": msgspec.json.encode(subscription),
    }


def api_key_row(key: ApiKey) -> dict[str, Any]:
    """Return the row of an API key."""
    return {
        "prefix": key.prefix,
        "project_id": key.project_id,
        "created_at": key.created_at,
        "doc": msgspec.json.encode(key),
    }


def daemon_row(daemon: Daemon) -> dict[str, Any]:
    """Return the row of a daemon."""
    return {
        "daemon_type": daemon.daemon_type,
        "daemon_id": daemon.daemon_id,
        "doc": msgspec.json.encode(daemon),
    }
