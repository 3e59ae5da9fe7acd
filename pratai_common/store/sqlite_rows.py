"""How the embedded store reads and writes rows: one function a step of a transaction."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, Table, create_engine, event, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.sqlite import insert

from pratai_common.records import Body, Record, Request
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.base import Created, NewRequest, Page, RequestChange

R = TypeVar("R", bound=Record)
_BUSY_SECONDS = 10


def engine(path: Path, begin: str) -> Engine:
    """Open the database; transactions start with the statement ``begin``."""
    made = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(made, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 begins no transactions of its own
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL").close()

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made


def paged(query: Any, table: Table, key: Any, page: Page) -> Any:
    """Order newest first, and start behind the marker."""
    if page.marker is not None:
        marked = select(table.c.created_at, key).where(key == page.marker).subquery()
        older = (table.c.created_at < select(marked.c.created_at).scalar_subquery()) | (
            (table.c.created_at == select(marked.c.created_at).scalar_subquery())
            & (key < page.marker)
        )
        query = query.where(older)
    return query.order_by(table.c.created_at.desc(), key.desc()).limit(page.limit)


def change(
    connection: Connection,
    table: Table,
    where: Any,
    kind: type[R],
    apply: Callable[[R], R | None],
    row_of: Callable[[R], dict[str, Any]],
) -> R | None:
    """Change the record of one row; returns it as it is afterwards, if it exists."""
    doc = connection.execute(select(table.c.doc).where(where)).scalar()
    if doc is None:
        return None
    old = msgspec.json.decode(doc, type=kind)
    new = apply(old)
    if new is None:
        return old
    connection.execute(sql_update(table).where(where).values(row_of(new)))
    return new


def change_request(connection: Connection, change_: RequestChange) -> Request | None:
    """Change a request, and keep the result that it ended with."""
    result: list[Body] = []

    def apply(old: Request) -> Request | None:
        changed = change_.apply(old)
        if changed is None:
            return None
        if changed.result is not None:
            result.append(changed.result)
        return changed.request

    table = schema.requests
    where = table.c.request_id == change_.request_id
    after = change(connection, table, where, Request, apply, schema.request_row)
    for body in result:
        put_body(connection, change_.request_id, "result", body)
    return after


def create(connection: Connection, new: NewRequest) -> Created:
    """Create a request and its input, unless it is there."""
    row = schema.request_row(new.request)
    statement = insert(schema.requests).values(row).on_conflict_do_nothing()
    if connection.execute(statement).rowcount == 1:
        if new.input is not None:
            put_body(connection, new.request.request_id, "input", new.input)
        return Created(new.request, new=True)
    table = schema.requests
    where = table.c.request_id == new.request.request_id
    doc = connection.execute(select(table.c.doc).where(where)).scalar_one()
    return Created(msgspec.json.decode(doc, type=Request), new=False)


def put_body(connection: Connection, request_id: str, part: str, body: Body) -> None:
    """Keep a body, unless there is one."""
    statement = insert(schema.bodies).values(
        request_id=request_id, part=part, **msgspec.structs.asdict(body)
    )
    connection.execute(statement.on_conflict_do_nothing())
