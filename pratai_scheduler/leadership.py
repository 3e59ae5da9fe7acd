"""Which of several schedulers acts: the holder of a lease, after a moment to look around."""

import logging

from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
_LEASE = "scheduler"


class Leadership:
    """A lease in the store with an epoch, and the wait for nodes at its start.

    All durations are milliseconds. ``since`` is when this scheduler took the lease.
    """

    def __init__(self, store: Store, holder: str, lease_ms: int, settle_ms: int) -> None:
        self._store = store
        self._holder = holder
        self._lease_ms = lease_ms
        self._settle_ms = settle_ms
        self._ends_at = 0
        self._awaited: set[str] = set()
        self.epoch = 0
        self.since = 0

    def renew(self, now: int) -> bool:
        """Take the lease if it is free, keep it if it is ours.

        Says whether another may have acted since it was ours last.
        """
        lease = self._store.acquire_lease(_LEASE, self._holder, now, self._lease_ms)
        if lease is None:
            self._ends_at = 0
            return False
        new = lease.epoch != self.epoch
        if new or now >= self._ends_at:
            self.since = now
            self._awaited = {
                daemon.daemon_id
                for daemon in self._store.list_daemons()
                if daemon.daemon_type == "driver"
            }
        self.epoch = lease.epoch
        self._ends_at = now + self._lease_ms
        return new

    def heard(self, node: str) -> None:
        """Note that a node has said what it runs."""
        self._awaited.discard(node)

    def active(self, now: int) -> bool:
        """Say whether this scheduler may dispatch."""
        if now >= self._ends_at:
            return False
        return not self._awaited or now - self.since >= self._settle_ms

    def release(self) -> None:
        """Let a standby take over at once; where the store is away, when the lease ends."""
        self._ends_at = 0
        try:
            self._store.release_lease(_LEASE, self._holder)
        except StoreUnavailableError as error:
            LOG.warning("the lease was not released: %s", error)
