"""``key-*``: API keys, by which callers outside of OpenStack run functions."""

from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands import arguments
from prataiclient.commands.base import ClientCommand, ListCommand, ShowCommand


class KeyCreate(ShowCommand):
    """Make an API key, for all functions that the project may call or for one of its own. The key
    is shown this once.
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="for people")
        parser.add_argument("--function", metavar="FUNCTION", help="id or name of the function")
        parser.add_argument("--expires-at", type=arguments.moment, metavar="TIME",
                            help="until when it is good: 2027-01-31T08:30:00Z")  # fmt: skip
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        function = parsed.function
        identity = None if function is None else self.client.function(function).function_id
        made = self.client.create_api_key(
            parsed.name, function_id=identity, expires_at=parsed.expires_at
        )
        return self.fields(made, parsed)


class KeyList(ListCommand):
    """List the project's API keys by their prefixes, oldest first."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("prefix", "name", "function_id", "user_id", "expires_at", "created_at")
        return self.rows(columns, self.client.api_keys(), parsed)


class KeyDelete(ClientCommand):
    """Revoke API keys."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "prefixes", metavar="PREFIX", nargs="+", help="what the key begins with"
        )
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for prefix in parsed.prefixes:
            self.client.delete_api_key(prefix)
