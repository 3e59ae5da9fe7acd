"""What commands share."""

import json
from argparse import Namespace
from typing import Any, cast

from cliff.command import Command
from cliff.lister import Lister
from cliff.show import ShowOne

from prataiclient.client import Client, Json


class ClientCommand(Command):
    """A command with a connection. Failures leave it as ClientError."""

    @property
    def client(self) -> Client:
        """The application's connection."""
        return cast("Client", self.app.client)  # type: ignore[attr-defined]  # cliff: any App


class ListCommand(ClientCommand, Lister):
    """A command that answers a table."""

    def rows(self, columns: tuple[str, ...], items: list[Json]) -> tuple[tuple[str, ...], Any]:
        """Return some columns of the items, as cliff wants them."""
        return columns, [tuple(item.get(column) for column in columns) for item in items]


class ShowCommand(ClientCommand, ShowOne):
    """A command that answers one thing."""

    def fields(self, item: Json, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """Return all of a thing; where a person reads, structures are shown as JSON."""
        structured = parsed.formatter in ("json", "yaml")
        values = [value if structured else _readable(value) for value in item.values()]
        return list(item), values


def _readable(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
