"""Which of several schedulers acts: the holder of a lease, once nodes have said what they run.

The holder acts for the first half of its lease, counted from each renewal, and is silent in the
other. The quarter between is for clocks that differ. Whoever takes over tells nodes its epoch, and
waits until each has said that it takes nothing of former ones (``fence.py``), or has lost its
lease. Nodes of a release without epochs are believed where they were heard in the last quarter.
Pure but for the store; all durations are milliseconds.
"""

import logging
from typing import NamedTuple

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import NodeState
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
_LEASE = "scheduler"


class Leadership:
    """A lease in the store with an epoch, and the wait for nodes at its start: for ``settle_ms``
    with all that it does, and for as long as a node's lease with what a former scheduler may have
    begun.

    The store compares the time at which a lease ends, by the clock of its holder, with that of
    whoever asks for it. Where these differ by up to a quarter of a lease, two never act at a time;
    where by more, for as long as they do, and nodes refuse the older epoch once they have been told
    the newer. ``since`` is when this scheduler took the lease, or took it again after it had
    let it end; since ``alone_since`` nobody else has acted.
    """

    def __init__(
        self,
        store: Store,
        holder: str,
        lease_ms: int,
        settle_ms: int,
        node_lease_ms: int = 0,
    ) -> None:
        self._store = store
        self._holder = holder
        self._lease_ms = lease_ms
        self._settle_ms = settle_ms
        self._node_lease_ms = node_lease_ms
        self._renewed_at: int | None = None
        self._asked_at: int | None = None
        self._listens_since = 0
        self._heard: dict[str, _Word] = {}
        self._awaited: dict[str, int] = {}
        self.epoch = 0
        self.since = 0
        self.alone_since = 0

    @property
    def denied(self) -> bool:
        """Say whether the store's last word was that another scheduler has the lease."""
        return self._renewed_at is None

    def renew(self, now: int) -> bool:
        """Take the lease if it is free, keep it if it is ours: for good before a quarter is over.

        Says whether another may have acted since it was ours last.
        """
        if not _within(self._asked_at, now, self._lease_ms):
            self._listens_since = now  # it has just begun, or was stopped and heard nobody
        self._asked_at = now
        if _within(self._renewed_at, now, self._lease_ms // 4):
            return False
        lease = self._store.acquire_lease(_LEASE, self._holder, now, self._lease_ms)
        if lease is None:
            self._renewed_at = None
            return False
        new = lease.epoch != self.epoch
        if new:
            self.alone_since = now - self._lease_ms // 4
        if new or not self.holds(now):
            self.since = now
            self._awaited = self._not_heard(now, lease.epoch)
        self.epoch = lease.epoch
        self._renewed_at = now
        return new

    def heard(self, state: NodeState, now: int) -> None:
        """Note that a node has said what it runs."""
        self._heard[state.node] = _Word(now, state.epoch)
        if state.epoch is None or state.epoch == self.epoch:
            self._awaited.pop(state.node, None)

    def lost(self, node: str) -> None:
        """Note that a node is silent; where it is waited for, it is until its lease ends."""
        self._heard.pop(node, None)

    def left(self, node: str) -> None:
        """Note that a node has ended on purpose."""
        self.lost(node)
        self._awaited.pop(node, None)

    def holds(self, now: int) -> bool:
        """Say whether no other scheduler can have the lease."""
        return _within(self._renewed_at, now, self._lease_ms)

    def active(self, now: int) -> bool:
        """Say whether this scheduler may dispatch."""
        if not _within(self._renewed_at, now, self._lease_ms // 2):
            return False
        return not self._awaited or now - self.since >= self._settle_ms

    def settled(self, now: int) -> bool:
        """Say whether it knows all that former schedulers have begun, and nothing of theirs can
        begin any more.
        """
        return self.active(now) and all(until <= now for until in self._awaited.values())

    def release(self, now: int) -> None:
        """Let a standby take over when this one's silence is over, half a lease from now; where the
        store is away, when the lease ends.
        """
        if not self.holds(now):
            return
        self._renewed_at = None
        try:
            self._store.acquire_lease(_LEASE, self._holder, now, self._lease_ms // 2)
        except StoreUnavailableError as error:
            LOG.warning("the lease was not released: %s", error)

    def _not_heard(self, now: int, epoch: int) -> dict[str, int]:
        """Return the nodes that have yet to say what they run, each with the time until which that
        matters: those that were heard, or that are listed as living, and where this one has not
        listened for long, all others that are listed.
        """
        anybody = now - self._listens_since < self._settle_ms
        listed = (each for each in self._store.list_daemons() if each.daemon_type == "driver")
        seen = {
            each.daemon_id: each.seen_at
            for each in listed
            if anybody or each.daemon_id in self._heard or self._lives(each.seen_at, now)
        }
        for name, word in self._heard.items():
            seen[name] = max(seen.get(name, 0), word.at)
        return {
            name: self._matters_until(seen_at, now)
            for name, seen_at in seen.items()
            if not self._has_said(name, now, epoch)
        }

    def _has_said(self, node: str, now: int, epoch: int) -> bool:
        said = self._heard.get(node)
        if said is None or said.epoch is not None:
            return said is not None and said.epoch == epoch
        return now - self._lease_ms // 4 <= said.at <= now

    def _matters_until(self, seen_at: int, now: int) -> int:
        """Return when a node's lease has ended; did it before, it is waited for like any other."""
        lease_ms = self._node_lease_ms if self._lives(seen_at, now) else 0
        return now + max(self._settle_ms, lease_ms)

    def _lives(self, seen_at: int, now: int) -> bool:
        return now - seen_at < self._node_lease_ms


class _Word(NamedTuple):
    """When a node spoke last, and the epoch that it said."""

    at: int
    epoch: int | None


def _within(start: int | None, now: int, duration: int) -> bool:
    """Say whether so much time has not passed since; not so where the clock was set back."""
    return start is not None and 0 <= now - start < duration
