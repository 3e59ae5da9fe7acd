"""The real PostgreSQL as tests use it: databases of their own, and what befalls the server."""

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import extensions, sql

from tests.services import AWAY_SECONDS, Service
from tests.waiting import until

_numbers = itertools.count()


class PostgreSQL:
    """One server. ``password`` is that of its superuser, ``postgres``."""

    def __init__(self) -> None:
        self.service = Service("postgresql", PRATAI_POSTGRESQL_FSYNC="off").start()
        self.host = str(urlsplit(self.service.url).hostname)
        self.port = self.service.port
        self.password = (self.service.folder / "password").read_text().strip()

    def database(self) -> "Database":
        """Return a new database."""
        name = f"test_{next(_numbers)}"
        with Database(self, "postgres") as all_databases:
            all_databases.run(f"CREATE DATABASE {name}")
        return Database(self, name)

    @contextmanager
    def encrypted(self, certificate: Path) -> Iterator[None]:
        """Offer TLS while the block runs, by a certificate beside which its key lies."""
        data = self.service.folder / "state" / "data"
        for source, name in (
            (certificate, "server.crt"),
            (certificate.with_suffix(".key"), "server.key"),
        ):
            (data / name).write_bytes(source.read_bytes())
            (data / name).chmod(0o600)
            os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
        with Database(self, "postgres") as all_databases, all_databases.set("ssl", "on"):
            yield

    def kill(self) -> None:
        """End it as a loss of power would; after PRATAI_AWAY_SECONDS start it again."""
        self.service.kill()
        time.sleep(AWAY_SECONDS)
        self.service.start()


class Database:
    """One database, and a connection of the superuser's to it."""

    def __init__(self, server: PostgreSQL, name: str) -> None:
        self.server = server
        self.name = name
        self._connection = self.connect()

    def connect(self) -> extensions.connection:
        """Return a connection in which each statement is a transaction."""
        connection = psycopg2.connect(
            host=self.server.host,
            port=self.server.port,
            dbname=self.name,
            user="postgres",
            password=self.server.password,
        )
        connection.autocommit = True
        return connection

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def reconnect(self) -> None:
        """After the server was away."""
        self._connection.close()
        self._connection = self.connect()

    def run(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run statements, in one transaction; returns the rows of the last."""
        with self._connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def copy(self, table: str, lines: Any) -> None:
        """Add the rows that lines of CSV hold."""
        with self._connection.cursor() as cursor:
            command = sql.SQL("COPY {} FROM STDIN CSV").format(sql.Identifier(table))
            cursor.copy_expert(command, lines)

    def settings(self, **values: Any) -> dict[str, Any]:
        """Return an event's settings for this database."""
        return {
            "host": self.server.host,
            "port": self.server.port,
            "database": self.name,
            "username": "postgres",
            **values,
        }

    def slots(self) -> dict[str, bool]:
        """Return whether each replication slot of this database is in use, by name."""
        return dict(
            self.run(
                "SELECT slot_name, active FROM pg_replication_slots WHERE database = %s", self.name
            )
        )

    def until_idle(self) -> None:
        """Wait until nobody uses a slot: the server may notice later that a reader has gone."""
        until(lambda: not any(self.slots().values()), "nobody uses a slot")

    def confirmed(self, slot: str) -> int:
        """Return the position up to which a slot was confirmed."""
        text = "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = %s"
        ((position,),) = self.run(text, slot)
        return int(position)

    def position(self) -> int:
        """Return where the log ends now."""
        ((position,),) = self.run("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(position)

    @contextmanager
    def transaction(self) -> Iterator[extensions.cursor]:
        """Keep a transaction open that has a number already, and that is never committed."""
        connection = self.connect()
        connection.autocommit = False
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT txid_current()")
            yield cursor
        finally:
            connection.close()

    @contextmanager
    def set(self, name: str, value: str) -> Iterator[None]:
        """Change an option of the whole server while the block runs."""
        self._change(f"ALTER SYSTEM SET {name} = '{value}'", name, value)
        try:
            yield
        finally:
            self._change(f"ALTER SYSTEM RESET {name}", name, None)

    def _change(self, command: str, name: str, value: str | None) -> None:
        self.run(command)
        self.run("SELECT pg_reload_conf()")
        if value is not None:
            until(lambda: self.run(f"SHOW {name}") == [(value,)], "the option is changed")

    def loses_log(self, slot: str) -> bool:
        """Write a new part of the log; returns whether the slot has lost what it wants."""
        self.run("SELECT txid_current(), pg_switch_wal()")
        self.run("CHECKPOINT")
        found = self.run("SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", slot)
        return found == [("lost",)]
