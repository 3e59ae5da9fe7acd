"""What the output plugin wal2json says, in format version 2, of a PostgreSQL database's log. Pure.

A row's change is known by where it stands in the log, and by the server's own id. Rows that one
record of the log holds (of a COPY) have one position, so they are counted in it; the plugin says
them in the same order each time. The moment of the commit tells two histories of one database
apart, where it was set back to an earlier state and its log went over the same positions again.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from pratai_agent.sources.base import Happened
from pratai_common.decoding import from_json, json_decoder

PLUGIN = "wal2json"

_OPERATIONS = {"I": "insert", "U": "update", "D": "delete"}
_LONG_NUMBER = 300
"""Digits. One that has no more can be read as a number everywhere."""
_DEPTH = 250
"""Levels that whoever reads a payload may need besides those of a value in it."""


class _Column(msgspec.Struct, frozen=True):
    name: str
    type: str
    value: msgspec.Raw


class _Message(msgspec.Struct, frozen=True):
    action: str
    lsn: str = ""
    timestamp: str = ""
    schema: str = ""
    table: str = ""
    columns: list[_Column] | None = None
    identity: list[_Column] | None = None


_MESSAGES = json_decoder(_Message)


class MalformedError(ValueError):
    """A message that is none of the plugin's."""


def options(tables: Sequence[str], operations: Sequence[str]) -> dict[str, str]:
    """Return what the plugin is to be told: of all tables, where none is named."""
    chosen = {"add-tables": ",".join(map(_pattern, tables))} if tables else {}
    return {
        "format-version": "2",
        "include-lsn": "true",
        "include-timestamp": "true",
        "actions": ",".join(operations),
        **chosen,
    }


def _pattern(table: str) -> str:
    """Return ``schema.table`` as the plugin reads it: a backslash takes the meaning from a sign."""
    schema, _, name = table.partition(".")
    return f"{_escaped(schema)}.{_escaped(name)}"


def _escaped(name: str) -> str:
    return re.sub(r"(\W)", r"\\\1", name)


class Decoder:
    """Reads the messages of one connection, in their order. ``system`` is the server's own id,
    ``codec`` that of the database's text.
    """

    def __init__(self, system: str, codec: str = "utf-8") -> None:
        self._system = system
        self._codec = codec
        self._lsn = ""
        self._row = 0

    def decode(self, content: bytes) -> Happened | None:
        """Return what a message says of a row; ``None`` for one that says nothing of any.

        Raises MalformedError.
        """
        if self._codec != "utf-8":
            content = content.decode(self._codec, "replace").encode()
        try:
            message = _MESSAGES.decode(content)
            operation = _OPERATIONS.get(message.action)
            return None if operation is None else self._happened(message, operation)
        except (ValueError, OverflowError, RecursionError) as error:  # of msgspec, or of a moment
            raise MalformedError(f"wal2json sent what cannot be read: {error}") from error

    def _happened(self, message: _Message, operation: str) -> Happened:
        moment = _moment(message.timestamp)
        self._row = self._row + 1 if message.lsn == self._lsn else 0
        self._lsn = message.lsn
        old, new = _row(message.identity), _row(message.columns)
        if old and new:
            new = {**old, **new}  # what is stored apart and did not change is in the old row alone
        row = {
            "operation": operation,
            "schema": message.schema,
            "table": message.table,
            "new": new,
            "old": old,
            "lsn": message.lsn,
            "timestamp": moment,
        }
        return Happened(
            id=f"{self._system}:{moment}:{message.lsn}:{self._row}",
            payload=msgspec.json.encode(row),
            attributes={
                "type": f"pratai.database.{operation}",
                "subject": f"{message.schema}.{message.table}",
                "time": moment,
            },
        )


def _moment(text: str) -> str:
    """Return a time of PostgreSQL's as ISO 8601 in UTC, with microseconds."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _row(columns: list[_Column] | None) -> dict[str, Any] | None:
    return None if columns is None else {each.name: _value(each) for each in columns}


def _value(column: _Column) -> msgspec.Raw:
    """Return a column's value as JSON, with each digit as PostgreSQL has it.

    What is no JSON that everybody can read (too deep, too large a number) is a text.
    """
    value = bytes(column.value)
    if column.type in ("json", "jsonb") and value != b"null":
        text = from_json(value, str).encode()
        return msgspec.Raw(text) if _readable(text) else column.value
    if len(value) > _LONG_NUMBER and value[:1] != b'"':
        return msgspec.Raw(b'"' + value + b'"')
    return column.value


def _readable(text: bytes) -> bool:
    try:
        msgspec.json.decode(b"[" * _DEPTH + text + b"]" * _DEPTH)
    except (ValueError, RecursionError):
        return False
    return True
