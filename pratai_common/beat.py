"""A daemon's sign of life in the store, written by a thread of its own every second or two."""

import logging
import os
import socket
import threading
from collections.abc import Callable

from pratai_common.clock import Clock
from pratai_common.daemon import describe
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Daemon
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
BEAT_SECONDS = 1.0
ALIVE_MS = 4000
"""An entry older than this is of a daemon that is not running."""


def alive(daemon: Daemon, now: int) -> bool:
    """Say whether a daemon has given a sign of life lately."""
    return now - daemon.seen_at < ALIVE_MS


class Beat:
    """Keeps a daemon's entry fresh from ``start`` to ``stop``, which removes it."""

    def __init__(
        self,
        store: Store,
        daemon_type: str,
        clock: Clock,
        dropped: Callable[[], int],
        address: str | None = None,
    ) -> None:
        self._store = store
        self._type = daemon_type
        self.daemon_id = f"{socket.gethostname()}-{os.getpid()}"
        self._address = address
        self._clock = clock
        self._dropped = dropped
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
                )
            )
        except StoreUnavailableError as error:
            LOG.warning("no sign of life could be written: %s", error)

    def _forget_dead(self) -> None:
        """Remove what killed daemons of this kind on this host have left behind."""
        host = f"{socket.gethostname()}-"
        try:
            for daemon in self._store.list_daemons():
                mine = daemon.daemon_type == self._type and daemon.daemon_id.startswith(host)
                if mine and not alive(daemon, self._clock()):
                    self._store.remove_daemon(self._type, daemon.daemon_id)
        except StoreUnavailableError as error:
            LOG.warning("old entries of daemons were not removed: %s", error)
