"""Where daemons take messages: from the record of live daemons, never from a message."""

from pratai_common.clock import Clock
from pratai_common.store.base import Store

_REMEMBER_MS = 1000


class Addresses:
    """The addresses of nodes and API processes, as they were at most a second ago."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._read_at = 0
        self._addresses: dict[tuple[str, str], str] = {}

    def node(self, name: str) -> str | None:
        """Return where a node takes messages."""
        return self._get("driver", name)

    def api(self, daemon_id: str) -> str | None:
        """Return where an API process takes answers."""
        return self._get("api", daemon_id)

    def _get(self, daemon_type: str, daemon_id: str) -> str | None:
        now, key = self._clock(), (daemon_type, daemon_id)
        if key not in self._addresses or now - self._read_at > _REMEMBER_MS:
            self._read_at = now
            self._addresses = {
                (daemon.daemon_type, daemon.daemon_id): daemon.address
                for daemon in self._store.list_daemons()
                if daemon.address is not None
            }
        return self._addresses.get(key)
