"""How the embedded store reads and writes rows: one function a step of a transaction."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    Table,
    Text,
    cast,
    create_engine,
    event,
    func,
    select,
    tuple_,
)
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.sqlite import insert

from pratai_common.errors import NameTakenError
from pratai_common.records import Body, Function, Record, Request
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
    """Order as the page says, the key deciding between equals, and start behind the marker."""
    column = table.c[page.sort]
    if page.marker is not None:
        marked = select(column).where(key == page.marker).scalar_subquery()
        place, its_place = tuple_(column, key), tuple_(marked, page.marker)
        query = query.where(place < its_place if page.descending else place > its_place)
    order = (column.desc(), key.desc()) if page.descending else (column, key)
    return query.order_by(*order).limit(page.limit)


def field(table: Table, name: str) -> Any:
    """Return a field of the records to filter by: its column, or what no index helps to find."""
    if name in table.c:
        return table.c[name]
    return func.json_extract(cast(table.c.doc, Text), f"$.{name}")


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
