"""A connection to a PostgreSQL server for logical replication.

It waits for nothing that it could not give up within a second: libpq's own calls block, so each is
made without waiting, and awaited here.
"""

import contextlib
import select
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg2
from oslo_config import cfg
from psycopg2 import errors, extensions, sql
from psycopg2.extras import LogicalReplicationConnection, ReplicationMessage

from pratai_agent.networks import resolved
from pratai_agent.sources.base import Door, SourceError, Standby, StoppedError
from pratai_agent.sources.wal2json import PLUGIN
from pratai_common.event_settings import DatabaseSettings

_ANSWER_SECONDS = 30
_LOOK_SECONDS = 0.5
_STATUS_SECONDS = 10
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Whatever the role's own settings are, values look the same.
_FORMATS = "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex"


class Replication:
    """One connection, made and closed as a context manager. Every method may raise SourceError,
    Standby where the slot is another's, or StoppedError where the door is stopping.
    """

    def __init__(
        self, conf: cfg.ConfigOpts, settings: DatabaseSettings, password: str | None, door: Door
    ) -> None:
        self._where = f"PostgreSQL at {settings.host}:{settings.port}"
        self._door = door
        self._parameters: dict[str, Any] = {
            "host": settings.host,
            "hostaddr": resolved(conf, settings.host, settings.port),
            "port": settings.port,
            "dbname": settings.database,
            "user": settings.username,
            "password": password or "",
            "options": _FORMATS,
            "application_name": "pratai-agent",
            **_security(settings.sslmode),
            **_KEEPALIVES,
        }

    def __enter__(self) -> "Replication":
        with self._explained():
            self._connection = psycopg2.connect(
                connection_factory=LogicalReplicationConnection, async_=True, **self._parameters
            )
            try:
                self._settle(_ANSWER_SECONDS)
            except BaseException:
                self._connection.close()
                raise
            self._cursor = self._connection.cursor()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    # Queries

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows that answer a query."""
        with self._explained():
            self._cursor.execute(text, values)
            self._settle(_ANSWER_SECONDS)
            rows: list[tuple[Any, ...]] = self._cursor.fetchall()
            return rows

    def system(self) -> str:
        """Return the id that the server's data got when they were first made."""
        return str(self.query("IDENTIFY_SYSTEM")[0][0])

    def codec(self) -> str:
        """Return Python's name of the encoding in which the log tells of rows."""
        name = self._connection.get_parameter_status("server_encoding") or "UTF8"
        codec: str = extensions.encodings.get(name, "utf_8")
        return "utf-8" if codec == "utf_8" else codec

    # The slot

    def create_slot(self, name: str) -> None:
        """Make a slot; one that is there is no error. It takes as long as the longest of the
        transactions that are open.
        """
        with self._explained(), contextlib.suppress(errors.DuplicateObject):
            self._cursor.create_replication_slot(name, output_plugin=PLUGIN)
            self._settle()

    def drop_slot(self, name: str) -> None:
        """Remove a slot, whoever uses it; one that is not there is no error."""
        for (pid,) in self.query(
            "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s", name
        ):
            if pid is not None:
                self.query("SELECT pg_terminate_backend(%s)", pid)
            command = sql.SQL("DROP_REPLICATION_SLOT {} WAIT").format(sql.Identifier(name))
            with self._explained(), contextlib.suppress(errors.UndefinedObject):
                self._cursor.execute(command)
                self._settle(_ANSWER_SECONDS)

    # The stream

    def start(self, slot: str, options: Mapping[str, str]) -> None:
        """Begin to read a slot's changes, from where it stands."""
        chosen = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.Literal(value))
            for name, value in options.items()
        )
        command = sql.SQL("START_REPLICATION SLOT {} LOGICAL 0/0 ({})").format(
            sql.Identifier(slot), chosen
        )
        with self._explained():
            self._cursor.start_replication_expert(
                command, decode=False, status_interval=_STATUS_SECONDS
            )
            self._settle(_ANSWER_SECONDS)

    def read(self) -> ReplicationMessage | None:
        """Return the next message, if it has come."""
        with self._explained():
            message: ReplicationMessage | None = self._cursor.read_message()
            return message

    def confirm(self, position: int) -> None:
        """Let the slot go on: what was committed before a position is not told again."""
        with self._explained():
            self._cursor.send_feedback(flush_lsn=position, force=True)

    def wait(self) -> None:
        """Wait for a message, not long, and show the server that somebody is there."""
        self._await(select.POLLIN)
        with self._explained():
            self._cursor.send_feedback()

    # What stands behind all of it

    def _settle(self, seconds: float | None = None) -> None:
        """Wait until the server has done what it was asked for."""
        ends = None if seconds is None else time.monotonic() + seconds
        while (state := self._connection.poll()) != extensions.POLL_OK:
            if self._door.stopping:
                raise StoppedError
            if ends is not None and time.monotonic() > ends:
                raise SourceError(f"{self._where}: no answer within {seconds} s")
            self._await(select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)

    def _await(self, what: int) -> None:
        """Wait until the connection can be read or written, not long."""
        poller = select.poll()
        poller.register(self._connection, what)
        poller.poll(_LOOK_SECONDS * 1000)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except errors.ObjectInUse as error:
            raise Standby(_said(error)) from error
        except errors.UndefinedFile as error:
            raise SourceError(f"{self._where} has no {PLUGIN}: {_said(error)}") from error
        except psycopg2.Error as error:
            raise SourceError(f"{self._where}: {_said(error)}") from error
        except ValueError as error:  # of a NUL in what somebody has set
            raise SourceError(f"{self._where}: {error}") from error


def _security(sslmode: str) -> dict[str, str]:
    """Return how the connection is kept safe. The agent's own user has files with passwords, keys
    and tickets, perhaps: none of them is shown to the server of somebody's event.
    """
    own = {
        "passfile": "/nonexistent",
        "sslcertmode": "disable",
        "gssencmode": "disable",
        "require_auth": "none,password,md5,scram-sha-256",
    }
    if sslmode != "verify-full":
        return {"sslmode": sslmode, **own}
    trusted = ssl.get_default_verify_paths().cafile or "system"
    return {"sslmode": sslmode, "sslrootcert": trusted, **own}


def _said(error: psycopg2.Error) -> str:
    """Return what the server, or libpq, said, on one line."""
    said = [error.diag.message_primary or str(error), error.diag.message_detail or ""]
    return " ".join(" ".join(said).split())
