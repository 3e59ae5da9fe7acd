"""How the embedded store reads and writes rows: one function a step of a transaction."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    QueuePool,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
    tuple_,
)
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DisconnectionError

from pratai_common.errors import NameTakenError
from pratai_common.records import Body, Function, Record, Request
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.base import Created, NewRequest, Page, RequestChange

R = TypeVar("R", bound=Record)
_BUSY_SECONDS = 10
_IDLE_CONNECTIONS = 8


def engine(path: Path, begin: str) -> Engine:
    """Open the database; transactions start with the statement ``begin``.

    It has a connection for each thread that is busy, and a new one where the file was replaced:
    what is written to a file that has no name any more is lost.
    """
    made = create_engine(
        "sqlite://",
        creator=lambda: _connect(path),
        poolclass=QueuePool,
        pool_size=_IDLE_CONNECTIONS,
        max_overflow=-1,
    )

    @event.listens_for(made, "checkout")
    def _take(connection: _Connection, _record: object, _proxy: object) -> None:
        if connection.file != _file(path):
            raise DisconnectionError  # answered with a new connection

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made


class _Connection(sqlite3.Connection):
    """A connection that knows which file it has open."""

    file: tuple[int, int] | None = None


def _connect(path: Path) -> _Connection:
    """Open the file, which must be there: what is gone is not replaced by what is empty."""
    file = _file(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # sqlite3 begins no transactions of its own
        check_same_thread=False,  # but one at a time
        factory=_Connection,
    )
    connection.file = file
    try:
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _file(path: Path) -> tuple[int, int] | None:
    """Return which file has the name now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def among(column: Any, values: Sequence[str]) -> Any:
    """Say that a column is one of many values: one parameter, however many there are."""
    listed = func.json_each(msgspec.json.encode(values).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def paged(query: Any, table: Table, key: Any, project_id: str, page: Page) -> Any:
    """Show a project's records in the page's order, the key deciding between equals, behind the
    marker. Behind one that is no record of the project there is nothing.
    """
    column = table.c[page.sort]
    query = query.where(table.c.project_id == project_id)
    if page.marker is not None:
        marked = (
            select(column)
            .where(key == page.marker, table.c.project_id == project_id)
            .scalar_subquery()
        )
        place, its_place = tuple_(column, key), tuple_(marked, page.marker)
        query = query.where(place < its_place if page.descending else place > its_place)
    order = (column.desc(), key.desc()) if page.descending else (column, key)
    return query.order_by(*order).limit(page.limit)


def require_free_name(connection: Connection, function: Function) -> None:
    """Raise NameTakenError where another living function of the project has the name."""
    table = schema.functions
    taken = select(table.c.function_id).where(
        table.c.project_id == function.project_id,
        table.c.name == function.name,
        table.c.deleted.is_(False),
        table.c.function_id != function.function_id,
    )
    if connection.execute(taken).first():
        raise NameTakenError(function.name)


def put_endpoint(connection: Connection, function: Function) -> None:
    """Let a function be found by its endpoint's token, and by no former one."""
    table = schema.endpoints
    if function.endpoint_token is None:
        connection.execute(delete(table).where(table.c.function_id == function.function_id))
        return
    statement = insert(table).values(
        function_id=function.function_id, token=function.endpoint_token
    )
    update = {"token": function.endpoint_token}
    connection.execute(statement.on_conflict_do_update(set_=update))


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
        if new.result is not None:
            put_body(connection, new.request.request_id, "result", new.result)
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
