"""``subscription-*``: the events that run a function."""

from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands import arguments
from prataiclient.commands.base import FunctionCommand, ListCommand, ShowCommand


class SubscriptionList(FunctionCommand, ListCommand):
    """List the subscriptions of a function, oldest first."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("subscription_id", "kind", "frequency", "enabled", "created_at")
        return self.rows(columns, self.client.subscriptions(self.function_id(parsed)), parsed)


class SubscriptionCreate(FunctionCommand, ShowCommand):
    """Let an event run a function: calls of its public endpoint, or a timer."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--kind", choices=["webhook", "timer"], required=True)
        arguments.add_frequency(parser)
        arguments.add_enabled(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        settings = arguments.given(parsed)
        made = self.client.create_subscription(self.function_id(parsed), settings)
        return self.fields(made, parsed)


class SubscriptionUpdate(FunctionCommand, ShowCommand):
    """Change a subscription."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("subscription", metavar="ID")
        arguments.add_frequency(parser)
        arguments.add_enabled(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        function_id, settings = self.function_id(parsed), arguments.given(parsed)
        changed = self.client.update_subscription(function_id, parsed.subscription, settings)
        return self.fields(changed, parsed)


class SubscriptionDelete(FunctionCommand):
    """Delete a subscription."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("subscription", metavar="ID")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        self.client.delete_subscription(self.function_id(parsed), parsed.subscription)
