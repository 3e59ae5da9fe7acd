"""How the parts of the embedded store reach the file: readers of their own, one writer."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from pratai_common.decoding import json_decoder
from pratai_common.records import Record
from pratai_common.store import sqlite_rows as rows
from pratai_common.store.group_commit import GroupCommit, told

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Access:
    """See the module. One object serves all threads of a process."""

    def __init__(self, path: Path) -> None:
        self._readers = rows.engine(path, "BEGIN")
        self._writer_engine = rows.engine(path, "BEGIN IMMEDIATE")
        self.writer = GroupCommit(self._writer_engine, path.with_name(f"{path.name}-turns"))

    def close(self) -> None:
        """Finish writes and close the file."""
        self.writer.close()
        self._writer_engine.dispose()
        self._readers.dispose()

    def read(self, do: Callable[[Connection], T]) -> T:
        """Read in one transaction; raises StoreUnavailableError."""
        try:
            with self._readers.connect() as connection:
                return do(connection)
        except (DBAPIError, sqlite3.Error) as error:
            raise told(error) from error

    def records(self, query: Any, kind: type[R]) -> list[R]:
        """Return the records that a query selects the documents of."""
        found = self.read(lambda connection: connection.execute(query).scalars().all())
        decode = json_decoder(kind).decode
        return [decode(row) for row in found]

    def execute(self, statement: Any, values: Sequence[dict[str, Any]] | None = None) -> None:
        """Write, durably."""
        self.writer.run(lambda connection: connection.execute(statement, values))

    def added(self, table: Table, row: dict[str, Any]) -> bool:
        """Add a row; says whether there was none with its key."""
        statement = insert(table).values(row).on_conflict_do_nothing()
        return self.writer.run(lambda connection: connection.execute(statement).rowcount == 1)

    def change(
        self,
        table: Table,
        where: Any,
        kind: type[R],
        apply: Callable[[R], R | None],
        row_of: Callable[[R], dict[str, Any]],
    ) -> R | None:
        """Change the record of one row; returns it as it is afterwards, if it exists."""
        return self.writer.run(
            lambda connection: rows.change(connection, table, where, kind, apply, row_of)
        )
