"""``cluster-status``: what runs the platform."""

from argparse import Namespace
from typing import Any

from prataiclient.commands.base import ListCommand


class ClusterStatus(ListCommand):
    """List the daemons of the platform."""

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("daemon_type", "daemon_id", "status", "role", "ip", "version", "joined_at")
        return self.rows(columns, self.client.daemons(), parsed)
