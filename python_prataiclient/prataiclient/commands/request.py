"""``request-*``: how events' runs stand, what they returned, what they printed."""

from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands.base import ClientCommand, ListCommand, ShowCommand
from prataiclient.waiting import FINAL

_STATUSES = FINAL | {"scheduled", "queued", "running"}


class RequestList(ListCommand):
    """List requests, newest first."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--filter", metavar="ID_OR_STATUS", help="function, or a status")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("request_id", "function_id", "status", "reason", "created_at", "run_ms")
        if parsed.filter in _STATUSES:
            found = self.client.requests(status=parsed.filter)
        elif parsed.filter:
            function = self.client.function(parsed.filter)
            found = self.client.requests(function_id=function["function_id"])
        else:
            found = self.client.requests()
        return self.rows(columns, list(found))


class RequestShow(ShowCommand):
    """Show a request with its result."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("request", metavar="ID")
        parser.add_argument("--include-payload", action="store_true")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.request(parsed.request, parsed.include_payload), parsed)


class RequestLogs(ClientCommand):
    """Print what a request's run printed."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("request", metavar="ID")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        self.app.stdout.write(self.client.request_logs(parsed.request))
