"""How the embedded store reads and writes rows: one function a step of a transaction."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    QueuePool,
    Table,
    create_engine,
    delete,
    event,
    select,
    tuple_,
)
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DisconnectionError

from pratai_common.decoding import from_json
from pratai_common.errors import NameTakenError
from pratai_common.records import Event, Function, Record
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.base import Page
from pratai_common.store.group_commit import driver_of
from pratai_common.store.sqlite_statements import among, as_list

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
        creator=lambda: connect(path),
        poolclass=QueuePool,
        pool_size=_IDLE_CONNECTIONS,
        max_overflow=-1,
    )

    @event.listens_for(made, "checkout")
    def _take(connection: OwnConnection, _record: object, _proxy: object) -> None:
        if connection.file != file_of(path):
            raise DisconnectionError  # answered with a new connection

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        driver_of(connection).execute(begin)

    return made


class OwnConnection(sqlite3.Connection):
    """A connection that knows which file it has open."""

    file: tuple[int, int] | None = None


def connect(path: Path) -> OwnConnection:
    """Open the file, which must be there: what is gone is not replaced by what is empty."""
    file = file_of(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # sqlite3 begins no transactions of its own
        check_same_thread=False,  # but one at a time
        factory=OwnConnection,
    )
    connection.file = file
    try:
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def file_of(path: Path) -> tuple[int, int] | None:
    """Return which file has the name now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def paged(query: Any, table: Table, key: Any, project_id: str | None, page: Page) -> Any:
    """Show the records of a project, or of all, in the page's order, the key deciding between
    equals, behind the marker. Behind one that is none of these records there is nothing.
    """
    column = table.c[page.sort]
    owned = [] if project_id is None else [table.c.project_id == project_id]
    query = query.where(*owned)
    if page.marker is not None:
        marked = select(column).where(key == page.marker, *owned).scalar_subquery()
        place, its_place = tuple_(column, key), tuple_(marked, page.marker)
        query = query.where(place < its_place if page.descending else place > its_place)
    order = (column.desc(), key.desc()) if page.descending else (column, key)
    return query.order_by(*order).limit(page.limit)


def require_free_name(
    connection: Connection, table: Table, key: Any, named: Function | Event, identity: str
) -> None:
    """Raise NameTakenError where another living record of the project has the name."""
    taken = select(key).where(
        table.c.project_id == named.project_id,
        table.c.name == named.name,
        table.c.deleted.is_(False),
        key != identity,
    )
    if connection.execute(taken).first():
        raise NameTakenError(named.name)


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
    old = from_json(doc, kind)
    new = apply(old)
    if new is None:
        return old
    connection.execute(sql_update(table).where(where).values(row_of(new)))
    return new


def ended_requests(before: int, limit: int) -> Any:
    """Return the query for the ids of requests that ended before a moment, longest ended first."""
    return (
        select(schema.requests.c.request_id)
        .where(schema.FINAL, before > schema.ENDED_AT)
        .order_by(schema.ENDED_AT)
        .limit(limit)
    )


def delete_ended(connection: Connection, before: int, limit: int) -> int:
    """Delete requests that ended before a moment, and all that is theirs; returns how many."""
    ended = connection.execute(ended_requests(before, limit)).scalars().all()
    for table in (schema.log_chunks, schema.bodies, schema.requests):
        theirs = among(table.c.request_id, as_list(ended))
        connection.execute(delete(table).where(theirs))
    return len(ended)
