"""``runtime-list`` and ``cluster-status``: what the platform can run, and what runs it."""

from argparse import Namespace
from typing import Any

from prataiclient.commands.base import ListCommand


class RuntimeList(ListCommand):
    """List the runtimes that functions may use."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        return self.rows(("name", "image", "nodes"), self.client.runtimes())


class ClusterStatus(ListCommand):
    """List the daemons of the platform."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("daemon_type", "daemon_id", "status", "ip", "version", "joined_at")
        return self.rows(columns, self.client.daemons())
