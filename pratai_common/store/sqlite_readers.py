"""Reads by statements that are compiled already: the driver's own connections, and nothing around
them. To take a connection out of SQLAlchemy's pool costs several times what such a read does.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pratai_common.store.sqlite_rows import OwnConnection, connect, file_of


class Readers:
    """Connections that are kept, each used by one thread at a time. Serves all threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[OwnConnection] = []

    def rows(self, statement: str, values: Mapping[str, str]) -> list[Any]:
        """Return what a statement finds; it is a transaction of its own. Raises sqlite3.Error."""
        connection = self._take()
        try:
            found = connection.execute(statement, values).fetchall()
        except sqlite3.Error:
            connection.close()
            raise
        self._idle.append(connection)
        return found

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> OwnConnection:
        """Return a connection to the file that has the name now, which may have been replaced."""
        file = file_of(self._path)
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return connect(self._path)
            if connection.file == file:
                return connection
            connection.close()
