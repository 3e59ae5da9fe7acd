"""A daemon's sign of life in the store, written by a thread of its own every second or two."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pratai_common.clock import Clock
from pratai_common.daemon import describe
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Daemon
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
BEAT_SECONDS = 1.0
ALIVE_MS = 4500
"""An entry older than this is of a daemon that is not running. A beat a second, written up to two
seconds late to a store whose lists lag by up to one, is younger; a death is seen within 5 s."""

_FORGOTTEN_MS = 24 * 60 * 60 * 1000
"""An entry that is a day old is of a daemon, or a machine, that was taken away."""

_GAP_MS = 2500
"""A process that could write no beat for so long takes it that nobody could."""


def alive(daemon: Daemon, now: int) -> bool:
    """Say whether a daemon has given a sign of life lately."""
    return now - daemon.seen_at < ALIVE_MS


class _Outage(NamedTuple):
    """A time in which no beat was written: between two that were, the ``last`` and the one at
    ``ended``. Nothing is known of others ``since`` then, which is no later.
    """

    since: int
    last: int
    ended: int


class Witness:
    """What a process learns of the store from its own beats. While nobody's can be written, those
    that are missing say nothing, nor do they before everybody had time to write again.

    An outage that follows hard on another goes on with it, and with no third: where each beat is
    slow, time must still pass for those who died.
    """

    def __init__(self) -> None:
        self._written_at: int | None = None
        self._outage: _Outage | None = None

    def written(self, now: int) -> None:
        """Note that a beat is in the store."""
        last = self._written_at
        if last is not None and now - last > _GAP_MS:
            former = self._hardly_ended(last)
            self._outage = _Outage(last if former is None else former.last, last, now)
        self._written_at = now

    def store_runs(self, now: int) -> bool:
        """Say whether the store has taken a beat lately."""
        return self._written_at is not None and now - self._written_at < ALIVE_MS

    def judged_at(self, now: int) -> int:
        """Return as of when others are ``alive`` or not: now, or when an outage began."""
        if self._written_at is None:
            return now
        return self._settled(self._written_at if now - self._written_at > _GAP_MS else now)

    def living(self, daemons: Iterable[Daemon], now: int, *types: str) -> list[Daemon]:
        """Return those of the daemons that live, of some types or of all."""
        as_of = self.judged_at(now)
        return [
            each
            for each in daemons
            if alive(each, as_of) and (not types or each.daemon_type in types)
        ]

    def _settled(self, then: int) -> int:
        """Return when the outage began that had hardly ended then, or ``then`` without one."""
        outage = self._hardly_ended(then)
        return then if outage is None else outage.since

    def _hardly_ended(self, then: int) -> _Outage | None:
        if self._outage is not None and then - self._outage.ended < ALIVE_MS:
            return self._outage
        return None


class Beat:
    """Keeps a daemon's entry fresh from ``start`` to ``stop``, which removes it."""

    def __init__(
        self,
        store: Store,
        daemon_type: str,
        clock: Clock,
        dropped: Callable[[], int],
        address: str | None = None,
        epoch: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._store = store
        self._type = daemon_type
        # Containers may share a host's name, and their first process is always the same.
        self.daemon_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._address = address
        self._clock = clock
        self.witness = Witness()
        self._dropped = dropped
        self._epoch = epoch
        self._started_at = clock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="beat", daemon=True)

    def start(self) -> None:
        """Give the first sign of life, and go on in a thread."""
        self._forget_dead()
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Remove the entry: this daemon ends on purpose."""
        self._ended.set()
        self._thread.join()
        try:
            self._store.remove_daemon(self._type, self.daemon_id)
        except StoreUnavailableError as error:
            LOG.warning("the daemon's entry was not removed: %s", error)

    def _serve(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        now = self._clock()
        try:
            self._store.put_daemon(
                describe(
                    self._type,
                    self.daemon_id,
                    self._started_at,
                    now,
                    self._dropped(),
                    self._address,
                    self._epoch(),
                )
            )
        except StoreUnavailableError as error:
            LOG.warning("no sign of life could be written: %s", error)
        else:
            self.witness.written(self._clock())

    def _forget_dead(self) -> None:
        """Remove what killed daemons of this kind on this host have left behind, and what is of
        daemons that do not return.
        """
        host = f"{socket.gethostname()}-"
        try:
            for daemon in self._store.list_daemons():
                mine = daemon.daemon_type == self._type and daemon.daemon_id.startswith(host)
                age = self._clock() - daemon.seen_at
                if age > _FORGOTTEN_MS or (mine and age >= ALIVE_MS):
                    self._store.remove_daemon(self._type, daemon.daemon_id)
        except StoreUnavailableError as error:
            LOG.warning("old entries of daemons were not removed: %s", error)
