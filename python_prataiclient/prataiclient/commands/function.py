"""``function-*`` and ``version-*``: functions, their code, and what they print."""

import re
import time
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from prataiclient.commands import arguments, subscribing
from prataiclient.commands.base import (
    ClientCommand,
    FunctionCommand,
    ListCommand,
    RunCommand,
    ShowCommand,
)
from prataiclient.commands.building import BuildCommand
from prataiclient.commands.rights import add_no_rights
from prataiclient.commands.settings import add_settings, add_zip, settings
from prataiclient.errors import NotFoundError
from prataiclient.tail import Tail

_LOOK_SECONDS = 0.5
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class FunctionCreate(BuildCommand):
    """Upload a zip as a new function."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        add_zip(parser, required=True)
        add_settings(parser)
        subscribing.add_first(parser)
        parser.add_argument("--runtime", default=SUPPRESS, help="see runtime-list (python3)")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        archive = arguments.package(parsed.zip)
        wanted = settings(parsed, self.client) | subscribing.first(parsed, self.client)
        made = self.client.create_function(parsed.name, archive, **wanted)
        identity = made.function_id
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


class FunctionUpdate(FunctionCommand, BuildCommand):
    """Change a function, or upload its next version with --zip, which is then shown."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        add_zip(parser, required=False)
        # The openstack program takes --version for itself.
        parser.add_argument("--version", "--use-version", type=int, metavar="N", default=SUPPRESS,
                            help="let this version serve, which was built before")  # fmt: skip
        parser.add_argument("--name", default=SUPPRESS)
        add_settings(parser)
        parser.add_argument("--no-env", action="store_const", const=[], dest="environment",
                            default=SUPPRESS, help="remove the environment variables")  # fmt: skip
        parser.add_argument("--no-share", action="store_const", const=[], dest="shared_with",
                            default=SUPPRESS, help="share it with no project")  # fmt: skip
        add_no_rights(parser)
        parser.add_argument("--rotate-endpoint", action="store_true", default=SUPPRESS,
                            help="give the public endpoint another address")  # fmt: skip
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        archive = None if parsed.zip is None else arguments.package(parsed.zip)
        wanted = arguments.given(parsed, ("name",)) | settings(parsed, self.client)
        identity = self.function_id(parsed)
        if archive is None:
            return self.fields(self.client.update_function(identity, **wanted), parsed)
        made = self.client.upload_version(identity, archive, **wanted)
        number = made.version
        made = self.built(parsed, identity, made, lambda: self.client.version(identity, number))
        return self.fields(made, parsed)


class VersionList(FunctionCommand, ListCommand):
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
            self.client.delete_function(self.client.function(name).function_id)


class FunctionExecute(FunctionCommand, RunCommand, ShowCommand):
    """Send a function an event. One of another project, which is public or shared with this one,
    goes by its id.
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        arguments.add_payload(parser)
        arguments.add_cause(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        payload, identity = arguments.payload(parsed), self._callee(parsed)
        called = self.client.execute(identity, payload, parsed.key, parsed.not_before)
        result = (
            {"result": called.result} if called.ended else self.result(called.request_id, parsed)
        )
        return self.fields({"request_id": called.request_id, **result}, parsed)

    def _callee(self, parsed: Namespace) -> str:
        """Return the id of the function that is called, which may be one that is not shown here."""
        try:
            return self.function_id(parsed)
        except NotFoundError:
            if not _ID.fullmatch(parsed.function):
                raise
            return str(parsed.function)


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
        for newest in self.client.requests(1, function_id=function_id):
            log = self.client.request_log(newest.request_id)
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


def _with_headings(printed: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield texts, headed as tail(1) does where one comes from another request than before."""
    former, ended = None, True
    for request_id, text in printed:
        if request_id != former:
            newline = "" if ended else "\n"
            yield f"{newline}==> {request_id} <==\n"
        yield text
        former, ended = request_id, text.endswith("\n")
