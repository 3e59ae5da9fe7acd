"""``function-*``: functions, their code, and what they print."""

import time
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prataiclient.client import Json
from prataiclient.commands import arguments
from prataiclient.commands.base import (
    ClientCommand,
    FunctionCommand,
    ListCommand,
    RunCommand,
    ShowCommand,
)
from prataiclient.errors import UnsuccessfulError
from prataiclient.progress import Progress
from prataiclient.tail import Tail
from prataiclient.waiting import wait

_LOG_END_LINES = 20
_LOOK_SECONDS = 0.5


class _BuildCommand(ShowCommand):
    """A command that uploads a zip, and may wait until it is built."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--wait", action="store_true", help="until it is built")
        parser.add_argument(
            "--follow", action="store_true", help="show the log of the build while waiting for it"
        )
        return parser

    def built(
        self, parsed: Namespace, function_id: str, made: Json, read: Callable[[], Json]
    ) -> Json:
        """Return what was made, if that is wanted after its build, when ``read`` returns it;
        raises UnsuccessfulError.
        """
        if not (parsed.wait or parsed.follow):
            return made
        if parsed.follow:
            self.stream(self.client.follow_build_log(function_id), self.app.stderr)
        made = self._ended(function_id, read)
        if made["status"] == "error":
            if not parsed.follow:
                lines = self.client.build_log(function_id).splitlines(keepends=True)
                self.stream(lines[-_LOG_END_LINES:], self.app.stderr)
            raise UnsuccessfulError(f"the build failed: {made['build_error']}")
        return made

    def _ended(self, function_id: str, read: Callable[[], Json]) -> Json:
        with Progress(self.app.stderr) as progress:

            def look() -> Json:
                if progress.shown:
                    progress.text = _last_line(self.client.build_log(function_id))
                return read()

            return wait(look, lambda status: status != "building", progress)


class FunctionCreate(_BuildCommand):
    """Upload a zip as a new function."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        arguments.add_zip(parser, required=True)
        arguments.add_settings(parser)
        parser.add_argument("--event", choices=["webhook", "timer"], default=SUPPRESS,
                            help="what runs it (webhook)")  # fmt: skip
        arguments.add_frequency(parser)
        parser.add_argument("--runtime", default=SUPPRESS, help="see runtime-list (python3)")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        settings = arguments.given(parsed)
        if "frequency" in settings:
            settings.setdefault("event", "timer")
        made = self.client.create_function(arguments.existing(parsed.zip), settings)
        identity = made["function_id"]
        made = self.built(parsed, identity, made, lambda: self.client.function(identity))
        return self.fields(made, parsed)


class FunctionList(ListCommand):
    """List the project's functions, newest first."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--only-id", action="store_true")
        arguments.add_all_projects(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("function_id", "name", "status", "event", "type", "memory", "version")
        found = self.client.functions(all_projects=parsed.all_projects)
        shown = arguments.with_project(columns, parsed.all_projects)
        return self.rows(columns[:1] if parsed.only_id else shown, found, parsed)


class FunctionShow(FunctionCommand, ShowCommand):
    """Show a function."""

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.function(parsed.function), parsed)


class FunctionUpdate(FunctionCommand, _BuildCommand):
    """Change a function, or upload its next version with --zip, which is then shown."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        arguments.add_zip(parser, required=False)
        parser.add_argument("--version", type=int, metavar="N", default=SUPPRESS,
                            help="let this version serve, which was built before")  # fmt: skip
        parser.add_argument("--name", default=SUPPRESS)
        arguments.add_settings(parser)
        parser.add_argument("--no-env", action="store_const", const=[], dest="environment",
                            default=SUPPRESS, help="remove the environment variables")  # fmt: skip
        parser.add_argument("--rotate-endpoint", action="store_true", default=SUPPRESS,
                            help="give the public endpoint another address")  # fmt: skip
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        identity, settings = self.function_id(parsed), arguments.given(parsed)
        if parsed.zip is None:
            return self.fields(self.client.update_function(identity, settings), parsed)
        made = self.client.upload_version(identity, arguments.existing(parsed.zip), settings)
        number = made["version"]
        made = self.built(parsed, identity, made, lambda: self.client.version(identity, number))
        return self.fields(made, parsed)


class FunctionVersions(FunctionCommand, ListCommand):
    """List the versions of a function, oldest first."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("version", "status", "runtime", "size", "created_at", "build_error")
        return self.rows(columns, self.client.versions(self.function_id(parsed)), parsed)


class FunctionDelete(ClientCommand):
    """Delete functions."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("functions", metavar="FUNCTION", nargs="+", help="id or name")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for name in parsed.functions:
            self.client.delete_function(self.client.function(name)["function_id"])


class FunctionExecute(FunctionCommand, RunCommand):
    """Send a function an event."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        payload = parser.add_mutually_exclusive_group()
        payload.add_argument("--payload", metavar="JSON")
        payload.add_argument("--file", type=Path, metavar="PATH", help="file with the payload")
        parser.add_argument("--idempotency-key", metavar="KEY")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        payload = arguments.payload(parsed)
        called = self.client.execute(self.function_id(parsed), payload, parsed.idempotency_key)
        if not called.ended:
            return self.made(called.request_id, parsed)
        return self.fields({"request_id": called.request_id, "result": called.result}, parsed)


class FunctionRunning(ListCommand):
    """List the functions that run, with their running requests."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("function_id", "name", "running", "request_ids")
        return self.rows(columns, self.client.running_functions(), parsed)


class FunctionStop(FunctionCommand, ListCommand):
    """Cancel the running requests of a function; list those that were told to end."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        ids = self.client.stop_function(self.function_id(parsed))
        return self.rows(("request_id",), [{"request_id": each} for each in ids], parsed)


class FunctionLogs(FunctionCommand):
    """Print what the newest request of a function printed; with --follow also what comes after."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--follow",
            action="store_true",
            help="go on until interrupted, a line above each request's output saying which it is",
        )
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        function_id = self.function_id(parsed)
        if parsed.follow:
            self.stream(_with_headings(self._tail(function_id)), self.app.stdout)
            return
        for newest in self.client.requests(function_id, most=1):
            log = self.client.request_log(newest["request_id"])
            self.app.stdout.write(log.decode(errors="replace"))

    def _tail(self, function_id: str) -> Iterator[tuple[str, str]]:
        """Yield request ids with what they print, without end."""
        tail = Tail(self.client, function_id)
        while True:
            yield from tail.read()
            time.sleep(_LOOK_SECONDS)


class FunctionBuildLog(FunctionCommand):
    """Print the log of a function's newest build."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--follow", action="store_true", help="until the build has ended")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        function_id = self.function_id(parsed)
        if parsed.follow:
            self.stream(self.client.follow_build_log(function_id), self.app.stdout)
        else:
            self.app.stdout.write(self.client.build_log(function_id))


def _last_line(text: str) -> str:
    lines = text.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _with_headings(printed: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield texts, headed as tail(1) does where one comes from another request than before."""
    former, ended = None, True
    for request_id, text in printed:
        if request_id != former:
            newline = "" if ended else "\n"
            yield f"{newline}==> {request_id} <==\n"
        yield text
        former, ended = request_id, text.endswith("\n")
