"""The tables of the embedded store: the columns that queries need, and the record as JSON."""

from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)

from pratai_common.records import Daemon, Function, Request, Subscription, Version

METADATA = MetaData()

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
Index("functions_by_project", functions.c.project_id, functions.c.created_at)
Index("functions_by_name", functions.c.project_id, functions.c.name)

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
Index("requests_due", requests.c.status, requests.c.next_run_at)
Index("requests_by_project", requests.c.project_id, requests.c.kind, requests.c.created_at)
Index("requests_by_function", requests.c.function_id, requests.c.created_at)

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
Index("subscriptions_by_kind", subscriptions.c.kind, subscriptions.c.enabled)
Index("subscriptions_by_function", subscriptions.c.function_id)

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


def subscription_row(subscription: Subscription) -> dict[str, Any]:
    """Return the row of a subscription."""
    return {
        "subscription_id": subscription.subscription_id,
        "function_id": subscription.function_id,
        "kind": subscription.kind,
        "enabled": subscription.enabled,
        "doc": msgspec.json.encode(subscription),
    }


def daemon_row(daemon: Daemon) -> dict[str, Any]:
    """Return the row of a daemon."""
    return {
        "daemon_type": daemon.daemon_type,
        "daemon_id": daemon.daemon_id,
        "doc": msgspec.json.encode(daemon),
    }
