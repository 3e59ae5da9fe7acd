"""``function-*``: functions and their code."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from prataiclient.client import Json
from prataiclient.commands.base import ClientCommand, ListCommand, ShowCommand
from prataiclient.errors import RefusedError, UnsuccessfulError
from prataiclient.waiting import FINAL, wait

_SETTINGS = ("description", "memory", "cpus", "timeout", "type", "event", "frequency", "runtime")


class FunctionCreate(ShowCommand):
    """Upload a zip as a new function."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--zip", "--file", dest="zip", type=Path, required=True, metavar="PATH",
                            help="zip with new_module.py and requirements.txt")  # fmt: skip
        parser.add_argument("--description", help="for people")
        parser.add_argument("--memory", type=int, metavar="MB", help="64 to 8192 (128)")
        parser.add_argument("--cpus", type=float, help="processors (1)")
        parser.add_argument(
            "--timeout", type=int, metavar="SECONDS", help="of a run, at most 900 (60)"
        )
        parser.add_argument("--type", choices=["async"], help="how callers get results")
        parser.add_argument("--event", choices=["webhook", "timer"], help="what runs it (webhook)")
        parser.add_argument("--frequency", type=float, metavar="MINUTES", help="of a timer")
        parser.add_argument("--runtime", help="see runtime-list (python3)")
        parser.add_argument("--wait", action="store_true", help="until it is built")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        if not parsed.zip.is_file():
            raise RefusedError(f"there is no file {parsed.zip}")
        settings = {
            name: value for name in _SETTINGS if (value := getattr(parsed, name)) is not None
        }
        if parsed.frequency is not None:
            settings.setdefault("event", "timer")
        function = self.client.create_function(parsed.name, parsed.zip, settings)
        if parsed.wait:
            function = self._built(function["function_id"])
        return self.fields(function, parsed)

    def _built(self, function_id: str) -> Json:
        function = wait(lambda: self.client.function(function_id), lambda s: s != "building")
        if function["status"] == "error":
            self.app.stderr.write(self.client.build_log(function_id))
            raise UnsuccessfulError(f"the build failed: {function['build_error']}")
        return function


class FunctionList(ListCommand):
    """List the project's functions."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--only-id", action="store_true")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("function_id", "name", "status", "event", "type", "memory", "version")
        return self.rows(columns[:1] if parsed.only_id else columns, list(self.client.functions()))


class _FunctionCommand(ClientCommand):
    """A command on one function, by id or name."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="ID", help="id or name")
        return parser


class FunctionShow(_FunctionCommand, ShowCommand):
    """Show a function."""

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.function(parsed.function), parsed)


class FunctionDelete(ClientCommand):
    """Delete functions."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("functions", metavar="ID", nargs="+", help="id or name")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for name in parsed.functions:
            self.client.delete_function(self.client.function(name)["function_id"])


class FunctionExecute(_FunctionCommand, ShowCommand):
    """Send a function an event."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        payload = parser.add_mutually_exclusive_group()
        payload.add_argument("--payload", metavar="JSON")
        payload.add_argument("--file", type=Path, metavar="PATH", help="file with the payload")
        parser.add_argument("--idempotency-key", metavar="KEY")
        parser.add_argument("--wait", action="store_true", help="until it ended; show the result")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        function = self.client.function(parsed.function)
        payload = _payload(parsed)
        request_id = self.client.execute(function["function_id"], payload, parsed.idempotency_key)
        if not parsed.wait:
            return self.fields({"request_id": request_id}, parsed)
        request = wait(lambda: self.client.request(request_id), lambda status: status in FINAL)
        if request["status"] != "success":
            raise UnsuccessfulError(
                f"request {request_id}: {request['status']}, {request['reason']}: "
                f"{request['message']}"
            )
        return self.fields({"request_id": request_id, "result": request["result"]}, parsed)


class FunctionBuildLog(_FunctionCommand):
    """Print the log of a function's newest build."""

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        function = self.client.function(parsed.function)
        self.app.stdout.write(self.client.build_log(function["function_id"]))


def _payload(parsed: Namespace) -> Any:
    """Return the payload that the command line gives; raises RefusedError if it is no JSON."""
    if parsed.file is not None and not parsed.file.is_file():
        raise RefusedError(f"there is no file {parsed.file}")
    text = parsed.file.read_text() if parsed.file is not None else parsed.payload
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise RefusedError(f"the payload is no JSON: {error}") from error
