"""What commands share."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from cliff.command import Command
from cliff.lister import Lister
from cliff.show import ShowOne

from prataiclient.client import Client
from prataiclient.errors import RequestFailedError
from prataiclient.progress import Progress
from prataiclient.rest import Json
from prataiclient.waiting import FINAL, wait


class ClientCommand(Command):
    """A command with a connection. Failures leave it as ClientError."""

    @property
    def client(self) -> Client:
        """The application's connection."""
        return cast("Client", self.app.client)  # type: ignore[attr-defined]  # cliff: any App

    def stream(self, pieces: Iterable[str], to: TextIO) -> None:
        """Write each piece when it comes."""
        for piece in pieces:
            to.write(piece)
            to.flush()


class FunctionCommand(ClientCommand):
    """A command on one function."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="FUNCTION", help="id or name")
        return parser

    def function_id(self, parsed: Namespace) -> str:
        """Return the id of the function that the command line names."""
        return str(self.client.function(parsed.function)["function_id"])


class ListCommand(ClientCommand, Lister):
    """A command that answers a table."""

    def rows(
        self, columns: tuple[str, ...], items: Iterable[Json], parsed: Namespace
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Return some columns of the items, as cliff wants them; an item is taken when its row
        is.
        """
        return columns, (
            tuple(_shown(item.get(column), parsed) for column in columns) for item in items
        )


class ShowCommand(ClientCommand, ShowOne):
    """A command that answers one thing."""

    def fields(self, item: Json, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """Return all of a thing; where a person reads, structures are shown as JSON."""
        return list(item), [_shown(value, parsed) for value in item.values()]


class RunCommand(ClientCommand):
    """A command that makes a request, and may wait for its result."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--wait", action="store_true", help="until it ended; show the result")
        return parser

    def result(self, request_id: str, parsed: Namespace) -> Json:
        """Return the request's ``result`` if that is wanted, or else nothing; waits for it. Raises
        RequestFailedError.
        """
        if not parsed.wait:
            return {}
        request = self._ended(request_id)
        if request["status"] != "success":
            raise RequestFailedError(request_id, request["reason"], request["message"])
        return {"result": request["result"]}

    def _ended(self, request_id: str) -> Json:
        try:
            with Progress(self.app.stderr) as progress:

                def read() -> Json:
                    request = self.client.request(request_id)
                    progress.text = f"{request['status']} {request_id}"
                    return request

                return wait(read, lambda status: status in FINAL, progress)
        except KeyboardInterrupt:
            self.app.stderr.write(f"request {request_id} goes on\n")
            raise


def _shown(value: Any, parsed: Namespace) -> Any:
    """Return a value as the chosen format shows it: JSON and YAML have structures of their own."""
    if isinstance(value, dict | list) and parsed.formatter not in ("json", "yaml"):
        return json.dumps(value, ensure_ascii=False)
    return value
