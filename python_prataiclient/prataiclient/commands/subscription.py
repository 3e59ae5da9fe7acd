"""``subscription-*``: what runs a function."""

from argparse import ArgumentParser, Namespace
from typing import Any

from prataiclient.commands import subscribing
from prataiclient.commands.base import FunctionCommand, ListCommand, ShowCommand


class SubscriptionList(FunctionCommand, ListCommand):
    """List the subscriptions of a function, oldest first."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("subscription_id", "kind", "event_id", "outcome", "frequency", "cron", "enabled")
        return self.rows(columns, self.client.subscriptions(self.function_id(parsed)), parsed)


class SubscriptionCreate(FunctionCommand, ShowCommand):
    """Let one more thing run a function: calls of its public endpoint, a timer, what happens on an
    event, or how another function ends.
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        subscribing.add_new(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        function_id, settings = self.function_id(parsed), subscribing.new(parsed, self.client)
        return self.fields(self.client.create_subscription(function_id, **settings), parsed)


class SubscriptionUpdate(FunctionCommand, ShowCommand):
    """Change a subscription."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("subscription", metavar="ID")
        subscribing.add_changes(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        function_id, settings = self.function_id(parsed), subscribing.changes(parsed)
        changed = self.client.update_subscription(function_id, parsed.subscription, **settings)
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
