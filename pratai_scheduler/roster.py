"""What the list of daemons says of nodes. They tell the scheduler, which writes it."""

from pratai_common.messages import NodeState
from pratai_common.records import Daemon
from pratai_common.store.base import Store

_TYPE = "driver"


class Roster:
    """Keeps the latest of each node until it is written: a store that is away holds nothing up."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unwritten: dict[str, Daemon | None] = {}

    def saw(self, state: NodeState, now: int) -> None:
        """Note that a node lives."""
        self._unwritten[state.node] = _entry(state, now)

    def left(self, node: str) -> None:
        """Note that a node has ended on purpose."""
        self._unwritten[node] = None

    def write(self) -> None:
        """Write what is new."""
        for node, entry in list(self._unwritten.items()):
            if entry is None:
                self._store.remove_daemon(_TYPE, node)
            else:
                self._store.put_daemon(entry)
            del self._unwritten[node]


def _entry(state: NodeState, now: int) -> Daemon:
    return Daemon(
        daemon_type=_TYPE,
        daemon_id=state.node,
        joined_at=state.joined_at,
        seen_at=now,
        ip=state.ip,
        version=state.version,
        address=state.address,
        pid=state.pid,
        dropped_messages=state.dropped_messages,
        runtimes=state.runtimes,
    )
