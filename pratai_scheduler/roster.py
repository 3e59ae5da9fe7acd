"""What the list of daemons says of nodes, which never touch the store: they tell the scheduler, and
collectors, which write it where no scheduler does. So neither's death makes nodes look dead.
"""

from collections.abc import Callable

from pratai_common.clock import Clock
from pratai_common.messages import Bye, Heartbeat, NodeState
from pratai_common.records import Daemon
from pratai_common.store.base import Store

_TYPE = "driver"
_OLD_MS = 1500
"""An entry that a scheduler keeps fresh is hardly ever older, as far as a collector sees it."""


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

    def forget(self) -> None:
        """Leave what is new to others."""
        self._unwritten.clear()

    def write(self) -> None:
        """Write what is new."""
        for node, entry in list(self._unwritten.items()):
            if entry is None:
                self._store.remove_daemon(_TYPE, node)
            else:
                self._store.put_daemon(entry)
            del self._unwritten[node]


class Understudy:
    """Keeps the entries that nobody else does; ``listed`` tells when a node was seen last, as the
    list of daemons has it, if it is there. A start of a node that this one has not heard last says
    nothing by its end: the node may have been started again since.
    """

    def __init__(self, store: Store, listed: Callable[[str], int | None], clock: Clock) -> None:
        self._roster = Roster(store)
        self._listed = listed
        self._clock = clock
        self._instances: dict[str, str] = {}

    def hear(self, message: Heartbeat | Bye) -> None:
        """Note what a node says."""
        if isinstance(message, Bye):
            if self._instances.get(message.node, message.instance) == message.instance:
                self._instances.pop(message.node, None)
                self._roster.left(message.node)
            return
        self._instances[message.state.node] = message.state.instance
        now = self._clock()
        seen_at = self._listed(message.state.node)
        if seen_at is None or now - seen_at > _OLD_MS:
            self._roster.saw(message.state, now)

    def write(self) -> None:
        """Write what is new."""
        self._roster.write()


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
