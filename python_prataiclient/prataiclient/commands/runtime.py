"""``runtime-*``: what functions can run on."""

from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands.base import ListCommand, ShowCommand


class RuntimeList(ListCommand):
    """List the runtimes that functions may use."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        return self.rows(("name", "image", "nodes"), self.client.runtimes(), parsed)


class RuntimeShow(ShowCommand):
    """Show a runtime."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("runtime", metavar="NAME")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.runtime(parsed.runtime), parsed)
