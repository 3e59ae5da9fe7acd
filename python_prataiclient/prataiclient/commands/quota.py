"""``quota-*``: what a project may have, and what it has."""

from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands.base import ListCommand


class QuotaShow(ListCommand):
    """Show the project's quotas, and how much of each is used."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--project", metavar="ID", help="another one, for an administrator")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("resource", "limit", "used", "unit")
        return self.rows(columns, self.client.quotas(parsed.project), parsed)
