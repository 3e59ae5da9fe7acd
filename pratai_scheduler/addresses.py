"""Where daemons take messages: from the record of live daemons, never from a message."""

import logging
import threading

from pratai_common import peers
from pratai_common.beat import Witness
from pratai_common.channels import Peer
from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
_REMEMBER_MS = 1000
_Name = tuple[str, str]


class Addresses:
    """The addresses of nodes and API processes, as they were at most a second ago; older ones
    while the store is away. A name that is not there is looked for once in that time. Who lives is
    judged by the ``witness`` of this process. May be used from many threads.
    """

    def __init__(self, store: Store, clock: Clock, witness: Witness) -> None:
        self._store = store
        self._clock = clock
        self._witness = witness
        self._read_at: int | None = None
        self._addresses: dict[_Name, str] = {}
        self._seen_at: dict[str, int] = {}
        self._apis: frozenset[str] = frozenset()
        self._missing: set[_Name] = set()
        self._lock = threading.Lock()

    def node(self, name: str) -> Peer | None:
        """Return where a node takes messages."""
        address = self._get(("driver", name))
        return None if address is None else peers.node(name, address)

    def seen_at(self, node: str) -> int | None:
        """Return when the list of daemons has a node seen last."""
        with self._lock:
            if self._old():
                self._read()
            return self._seen_at.get(node)

    def api(self, daemon_id: str) -> Peer | None:
        """Return where an API process takes answers."""
        address = self._get(("api", daemon_id))
        return None if address is None else peers.api(address)

    def apis(self) -> frozenset[str]:
        """Return the names of the API processes that live: of them a caller may be waiting."""
        with self._lock:
            if self._old():
                self._read()
            return self._apis

    def _get(self, name: _Name) -> str | None:
        with self._lock:
            if self._old():
                self._read()
                self._missing.clear()
            elif name not in self._addresses and name not in self._missing:
                self._read()
            address = self._addresses.get(name)
            if address is None:
                self._missing.add(name)
            return address

    def _old(self) -> bool:
        return self._read_at is None or not 0 <= self._clock() - self._read_at <= _REMEMBER_MS

    def _read(self) -> None:
        now = self._clock()
        self._read_at = now
        try:
            daemons = self._store.list_daemons()
        except StoreUnavailableError as error:
            LOG.warning("addresses are as they were: %s", error)
            return
        self._addresses = {
            (daemon.daemon_type, daemon.daemon_id): daemon.address
            for daemon in daemons
            if daemon.address is not None
        }
        self._seen_at = {
            daemon.daemon_id: daemon.seen_at for daemon in daemons if daemon.daemon_type == "driver"
        }
        living = self._witness.living(daemons, now, "api")
        self._apis = frozenset(daemon.daemon_id for daemon in living)
