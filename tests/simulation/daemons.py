"""The daemons of a simulated installation: the product's own modules, put together as its processes
put them together, with the world's clock, network, disk and store.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from pratai_common.clock import Clock
from pratai_common.messages import (
    Build,
    CollectorMessage,
    Job,
    Message,
    MessageDecoder,
    Result,
    SchedulerMessage,
)
from pratai_common.records import Body
from pratai_common.tokens import TokenKey
from pratai_drivers.node import Node
from pratai_drivers.spool import Spool
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.collector import AnsweredCall, Collector
from pratai_scheduler.collector import Sends as CollectorSends
from pratai_scheduler.collector_daemon import Intake
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.roster import Understudy
from pratai_scheduler.running import Sends
from tests.simulation.catalogue import BUILD_MEMORY
from tests.simulation.process import Process
from tests.simulation.store import MemoryStore

LEASE_MS, SETTLE_MS, NODE_LEASE_MS, ADOPT_MS = 2_000, 2_000, 10_000, 5_000
SWEEP_MS = 1_000
"""As configured by default."""

TICKS_MS = {"scheduler": LEASE_MS // 8}
"""How often daemons tick, those that are not named here once a second."""

KEY = TokenKey(b"the key of a simulated installation")
WINDOW = 12
"""Requests that a scheduler holds: few, so that it has to leave some to the store."""

SCHEDULERS = ("scheduler1", "scheduler2")
SCHEDULER, COLLECTOR = "scheduler", "collector"
"""Addresses: every scheduler, and any one collector."""


class Parts:
    """What a broken variant replaces one of."""

    dispatcher: type[Dispatcher] = Dispatcher
    collector: type[Collector] = Collector
    node: type[Node] = Node
    spool: type[Spool] = Spool
    key: TokenKey = KEY


class World(Protocol):
    """What a daemon needs of the world."""

    now: int
    parts: Parts

    def clock_of(self, process: Process) -> Clock:
        """Return a daemon's own clock, which may differ from the others'."""

    def store_of(self, process: Process) -> MemoryStore:
        """Return a daemon's own way to the store."""

    def send(self, process: Process, target: str, message: Message) -> bool:
        """Have a message sent."""

    def living(self, role: str) -> frozenset[str]:
        """Return the daemons of a role that live."""

    def takes(self, job: Job | Build) -> None:
        """Hear of a job that a node takes."""

    def begins(self, process: Process, job: Job | Build) -> None:
        """Hear of a job that begins on a node."""

    def ends(self, result: Result) -> None:
        """Hear of the result of a job whose code has ended."""

    def keep(self, sha256: str) -> None:
        """Have an output kept in the archives."""

    def keeps(self, result: Result) -> None:
        """Hear of a result that a node has put into its spool."""


class Daemon(Protocol):
    """One start of a daemon."""

    process: Process
    decoder: MessageDecoder[Any]

    def receive(self, messages: Sequence[Any]) -> None:
        """Handle what arrived."""

    def tick(self) -> None:
        """Do what is due; called once a second."""


class SchedulerDaemon:
    """A scheduler: ``pratai_scheduler/dispatcher_daemon.py`` without its process."""

    decoder: MessageDecoder[Any] = MessageDecoder(SchedulerMessage)

    def __init__(self, world: World, process: Process) -> None:
        self.process = process
        store, clock = world.store_of(process), world.clock_of(process)

        self.leadership = Leadership(store, process.identity, LEASE_MS, SETTLE_MS, NODE_LEASE_MS)
        self.nodes = Nodes(NODE_LEASE_MS, ADOPT_MS)
        self.dispatcher = world.parts.dispatcher(
            store,
            Assignments(KEY, clock, _address, 3600),
            self.leadership,
            self.nodes,
            Sends(
                lambda node, message: world.send(process, node.address, message),
                lambda message: world.send(process, COLLECTOR, message),
                lambda name, message: world.send(process, name, message),
            ),
            clock,
            BUILD_MEMORY,
            ADOPT_MS,
            window_requests=WINDOW,
            alone=False,
            sweep_ms=SWEEP_MS,
        )
        self.receive = self.dispatcher.receive
        self.tick = self.dispatcher.tick

    @property
    def groups(self) -> frozenset[str]:
        """Return the projects of which something waits for its turn."""
        return frozenset(self.dispatcher._window._turns._groups)

    def holds_nothing(self) -> bool:
        """Say whether nothing is left in its memory of what there was."""
        inner = self.dispatcher
        left = (len(inner._window), self.nodes._holders, self.nodes._runs, inner._calls._out)
        return not any(left) and not inner._placement._dispatched and not inner._overheard


class CollectorDaemon:
    """A collector: ``pratai_scheduler/collector_daemon.py`` without its process."""

    decoder: MessageDecoder[Any] = MessageDecoder(CollectorMessage)

    def __init__(self, world: World, process: Process) -> None:
        self.process = process
        store, clock = world.store_of(process), world.clock_of(process)

        def listed(node: str) -> int | None:
            entry = store.contents.daemons.rows.get(("driver", node))
            return None if entry is None else entry.seen_at

        self.collector = world.parts.collector(
            store,
            NoArchives(),  # type: ignore[arg-type]
            world.parts.key,
            CollectorSends(
                to_node=lambda name, message: world.send(process, name, message),
                to_api=lambda name, message: world.send(process, name, message),
                to_scheduler=lambda message: world.send(process, SCHEDULER, message),
                apis=lambda: world.living("api"),
            ),
            clock,
            self._hold,
        )
        self._held: list[AnsweredCall] = []
        self._intake = Intake(self.collector, Understudy(store, listed, clock))
        self.receive = self._intake.receive

    def tick(self) -> None:
        """Record the calls that were answered, as the recorder does a moment later, and go on."""
        held, self._held = self._held, []
        if held:
            self.collector.record(held)
        self._intake.tick()

    def _hold(self, calls: Sequence[AnsweredCall]) -> bool:
        self._held += calls
        return True


class NoArchives:
    """The archives of those who have nothing large in their hands."""

    def keep(self, content: bytes) -> Body:
        return Body.inline(content)

    def read(self, body: Body) -> bytes:
        assert body.content is not None
        return body.content


def _address(sha256: str, _expires: int) -> str:
    return sha256
