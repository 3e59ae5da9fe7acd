"""The statements that run for each request, compiled once: to build one anew costs several times
what SQLite needs to run it. They go to the driver as they are, parameters by name.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from pratai_common.decoding import from_json
from pratai_common.records import Body, Request
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.base import Created, NewRequest, RequestChange

_MOST_ROWS = 64
_DIALECT = sqlite.dialect(paramstyle="named")
_CHANGING = ("status", "next_run_at", "doc")
"""The columns of a request that change: SQLite writes every index on what an update names."""


def among(column: Any, values: Any) -> Any:
    """Say that a column is one of many values: one parameter, a JSON list, however many."""
    listed = func.json_each(values).table_valued("value")
    return column.in_(select(listed.c.value))


def as_list(values: Sequence[str]) -> str:
    """Return values as ``among`` takes them."""
    return msgspec.json.encode(values).decode()


def _compiled(statement: Any) -> str:
    return str(statement.compile(dialect=_DIALECT))


def _docs(table: Table, key: Any) -> str:
    return _compiled(select(table.c.doc).where(among(key, bindparam("ids"))))


_REQUESTS, _BODIES = schema.requests, schema.bodies
FUNCTIONS = _docs(schema.functions, schema.functions.c.function_id)
"""Documents of functions by ``ids``, a list."""

REQUESTS = _docs(_REQUESTS, _REQUESTS.c.request_id)
"""Documents of requests by ``ids``, a list."""

_SUBSCRIPTIONS = schema.subscriptions
SUBSCRIPTIONS_TO = _compiled(
    select(_SUBSCRIPTIONS.c.doc).where(
        among(schema.EVENT_ID, bindparam("ids")), _SUBSCRIPTIONS.c.enabled.is_(True)
    )
)
"""Documents of the enabled subscriptions to events and functions by ``ids``, a list."""

BODY = _compiled(
    select(_BODIES.c.sha256, _BODIES.c.size, _BODIES.c.content).where(
        _BODIES.c.request_id == bindparam("request_id"), _BODIES.c.part == bindparam("part")
    )
)
_ONE = _REQUESTS.c.request_id == bindparam("id")
_REQUEST = _compiled(select(_REQUESTS.c.doc).where(_ONE))
_CHANGE = _compiled(
    update(_REQUESTS).where(_ONE).values({each: bindparam(each) for each in _CHANGING})
)
_PUT_BODY = _compiled(insert(_BODIES).on_conflict_do_nothing())


def create(connection: sqlite3.Connection, new: Sequence[NewRequest]) -> list[Created]:
    """Create requests and their bodies, unless they are there; nobody else writes meanwhile.

    All in a few statements: after each, this thread waits until others let it go on.
    """
    ids = as_list([each.request.request_id for each in new])
    docs = connection.execute(REQUESTS, {"ids": ids}).fetchall()
    there = {each.request_id: each for each in (_decoded(doc) for (doc,) in docs)}
    created: list[Created] = []
    fresh: list[NewRequest] = []
    for each in new:
        request_id = each.request.request_id
        if request_id not in there:
            there[request_id] = each.request
            fresh.append(each)
            created.append(Created(each.request, new=True))
        else:
            created.append(Created(there[request_id], new=False))
    _insert(connection, _REQUESTS, [schema.request_row(each.request) for each in fresh])
    bodies = [
        schema.body_row(each.request.request_id, part, body)
        for each in fresh
        for part, body in (("input", each.input), ("result", each.result))
        if body is not None
    ]
    _insert(connection, _BODIES, bodies)
    return created


def change(connection: sqlite3.Connection, wanted: RequestChange) -> Request | None:
    """Change a request, and keep the result that it ended with."""
    row = connection.execute(_REQUEST, {"id": wanted.request_id}).fetchone()
    if row is None:
        return None
    old = _decoded(row[0])
    changed = wanted.apply(old)
    if changed is None:
        return old
    values = schema.request_row(changed.request)
    connection.execute(
        _CHANGE, {"id": wanted.request_id, **{name: values[name] for name in _CHANGING}}
    )
    if changed.result is not None:
        _put_body(connection, wanted.request_id, "result", changed.result)
    return changed.request


def _put_body(connection: sqlite3.Connection, request_id: str, part: str, body: Body) -> None:
    """Keep a body, unless there is one."""
    connection.execute(_PUT_BODY, schema.body_row(request_id, part, body))


def _insert(
    connection: sqlite3.Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows in statements of as many rows each as a power of two, so that there are few."""
    columns, start = table.c.keys(), 0
    while left := len(rows) - start:
        size = min(_MOST_ROWS, 1 << (left.bit_length() - 1))
        chunk = rows[start : start + size]
        values = [row[column] for row in chunk for column in columns]
        connection.execute(_insertion(table, size), values)
        start += size


@cache
def _insertion(table: Table, size: int) -> str:
    """Return the statement that inserts so many rows: parameters by place, none is left out."""
    row = dict.fromkeys(table.c.keys(), "")
    dialect = sqlite.dialect(paramstyle="qmark")
    return str(insert(table).values([row] * size).compile(dialect=dialect))


def _decoded(doc: bytes) -> Request:
    return from_json(doc, Request)
