"""What commands share, in both programs that have them: ``pratai`` and ``openstack``."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from cliff.command import Command
from cliff.lister import Lister
from cliff.show import ShowOne

from prataiclient.client import Client, succeeded
from prataiclient.errors import ClientError
from prataiclient.progress import Progress
from prataiclient.resources import Json, Request, Resource
from prataiclient.waiting import wait


class ClientCommand(Command):
    """A command with a connection. A failure, which is a ClientError, is told in a line, and its
    kind is the exit code.
    """

    def run(self, parsed: Namespace) -> int:
        """Run it; returns the exit code."""
        try:
            return int(super().run(parsed))
        except ClientError as error:
            self.app.LOG.error(error, exc_info=self.app.options.debug)
            return error.exit_code

    def get_epilog(self) -> str:
        """Return nothing. Cliff would say which distribution a command comes from, and for that
        read the lists of files of all that are installed, each time.
        """
        return ""

    @property
    def client(self) -> Client:
        """The application's connection, which is made when it is needed first."""
        manager = self.app.client_manager  # type: ignore[attr-defined]  # of both programs
        return cast("Client", manager.pratai)

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
        return self.client.function(parsed.function).function_id


class ListCommand(ClientCommand, Lister):
    """A command that answers a table."""

    def rows(
        self, columns: tuple[str, ...], items: Iterable[Resource | Json], parsed: Namespace
    ) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Return some columns of the items, as cliff wants them; an item is taken when its row
        is.
        """
        return columns, (
            tuple(_shown(item.get(column), parsed) for column in columns)
            for item in map(_told, items)
        )


class ShowCommand(ClientCommand, ShowOne):
    """A command that answers one thing."""

    def fields(self, item: Resource | Json, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """Return all of a thing; where a person reads, structures are shown as JSON."""
        told = _told(item)
        return list(told), [_shown(value, parsed) for value in told.values()]


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
        return {"result": succeeded(self._ended(request_id)).result}

    def _ended(self, request_id: str) -> Request:
        try:
            with Progress(self.app.stderr) as progress:

                def read() -> Request:
                    request = self.client.request(request_id)
                    progress.text = f"{request.status} {request_id}"
                    return request

                return wait(read, lambda request: request.ended, progress.pause)
        except KeyboardInterrupt:
            self.app.stderr.write(f"request {request_id} goes on\n")
            raise


def _told(item: Resource | Json) -> Json:
    return item.to_dict() if isinstance(item, Resource) else item


def _shown(value: Any, parsed: Namespace) -> Any:
    """Return a value as the chosen format shows it: JSON and YAML have structures of their own."""
    if isinstance(value, dict | list) and parsed.formatter not in ("json", "yaml"):
        return json.dumps(value, ensure_ascii=False)
    return value
