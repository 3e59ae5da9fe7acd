"""``request-*``: how events' runs stand, what they returned, what they printed."""

import uuid
from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands import arguments
from prataiclient.commands.base import ClientCommand, ListCommand, RunCommand, ShowCommand
from prataiclient.errors import NotFoundError
from prataiclient.waiting import FINAL

_STATUSES = FINAL | {"scheduled", "queued", "running"}


class RequestList(ListCommand):
    """List requests, newest first."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--filter", metavar="ID_OR_STATUS", help="function, or a status")
        parser.add_argument("--limit", type=arguments.count, metavar="N", help="the newest N alone")
        parser.add_argument("--dead", action="store_true", help="dead letters alone")
        arguments.add_all_projects(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("request_id", "function_id", "status", "reason", "created_at", "run_ms")
        of_status = parsed.filter in _STATUSES
        found = self.client.requests(
            function_id=self._function_id(parsed.filter) if not of_status else None,
            status=parsed.filter if of_status else None,
            dead=parsed.dead,
            most=parsed.limit,
            all_projects=parsed.all_projects,
        )
        shown = arguments.with_project(columns, parsed.all_projects)
        return self.rows(shown, found, parsed)

    def _function_id(self, name_or_id: str | None) -> str | None:
        """Return a function's id. The requests of one that was deleted are listed by its id."""
        if name_or_id is None:
            return None
        try:
            return str(self.client.function(name_or_id)["function_id"])
        except NotFoundError:
            if not _is_id(name_or_id):
                raise
        return name_or_id


class _RequestCommand(ClientCommand):
    """A command on one request."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("request", metavar="ID")
        return parser


class RequestShow(_RequestCommand, ShowCommand):
    """Show a request with its result."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--include-payload", action="store_true")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.request(parsed.request, parsed.include_payload), parsed)


class RequestLogs(_RequestCommand):
    """Print what a request printed."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--follow", action="store_true", help="until the request has ended")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        if parsed.follow:
            self.stream(self.client.follow_request_log(parsed.request), self.app.stdout)
        else:
            log = self.client.request_log(parsed.request)
            self.app.stdout.write(log.decode(errors="replace"))


class RequestCancel(ClientCommand):
    """Cancel requests that have not ended."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("requests", metavar="ID", nargs="+")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for request_id in parsed.requests:
            self.client.cancel_request(request_id)


class RequestReplay(_RequestCommand, RunCommand):
    """Run a request that has ended once more, as a new request."""

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.made(self.client.replay_request(parsed.request), parsed)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
