"""The statements that run for each request, compiled once: to build one anew costs several times
what SQLite needs to run it. They go to the driver as they are, parameters by name.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from pratai_common.records import Body, Request
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.base import Created, NewRequest, RequestChange

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

BODY = _compiled(
    select(_BODIES.c.sha256, _BODIES.c.size, _BODIES.c.content).where(
        _BODIES.c.request_id == bindparam("request_id"), _BODIES.c.part == bindparam("part")
    )
)
_ONE = _REQUESTS.c.request_id == bindparam("id")
_REQUEST = _compiled(select(_REQUESTS.c.doc).where(_ONE))
_CREATE = _compiled(insert(_REQUESTS).on_conflict_do_nothing())
_CHANGE = _compiled(
    update(_REQUESTS).where(_ONE).values({each: bindparam(each) for each in _CHANGING})
)
_PUT_BODY = _compiled(insert(_BODIES).on_conflict_do_nothing())


def create(connection: sqlite3.Connection, new: NewRequest) -> Created:
    """Create a request and its bodies, unless it is there."""
    request_id = new.request.request_id
    if connection.execute(_CREATE, schema.request_row(new.request)).rowcount == 1:
        for part, body in (("input", new.input), ("result", new.result)):
            if body is not None:
                _put_body(connection, request_id, part, body)
        return Created(new.request, new=True)
    (doc,) = connection.execute(_REQUEST, {"id": request_id}).fetchone()
    return Created(msgspec.json.decode(doc, type=Request), new=False)


def change(connection: sqlite3.Connection, wanted: RequestChange) -> Request | None:
    """Change a request, and keep the result that it ended with."""
    row = connection.execute(_REQUEST, {"id": wanted.request_id}).fetchone()
    if row is None:
        return None
    old = msgspec.json.decode(row[0], type=Request)
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
    values = {"request_id": request_id, "part": part, **msgspec.structs.asdict(body)}
    connection.execute(_PUT_BODY, values)
