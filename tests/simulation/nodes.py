"""A simulated node: ``pratai_drivers/daemon.py`` without its process, threads and containers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pratai_common.channels import Peer
from pratai_common.errors import TransferError
from pratai_common.messages import Message, MessageDecoder, NodeMessage, NodeState
from pratai_common.records import Body
from pratai_common.senders import Identity, Role
from pratai_drivers.line import Line
from pratai_drivers.outbox import Outbox
from pratai_drivers.results import Results
from pratai_drivers.spool import Key
from tests.simulation.catalogue import BUILD_MEMORY, BUILDS, MEMORY, SLOTS
from tests.simulation.daemons import COLLECTOR, SCHEDULERS, World
from tests.simulation.disk import SimulatedDisk
from tests.simulation.hands import OUTPUT, SimulatedHands
from tests.simulation.process import Process

_SCHEDULERS = Peer.each_of(SCHEDULERS, Identity(Role.SCHEDULER))
_COLLECTOR = Peer(COLLECTOR, Identity(Role.COLLECTOR))


class NodeDaemon:
    """A node: ``pratai_drivers/daemon.py`` without its process, threads and containers."""

    decoder: MessageDecoder[Any] = MessageDecoder(NodeMessage)

    def __init__(self, world: World, process: Process, disk: SimulatedDisk) -> None:
        self.process = process
        self.disk = disk
        self._world = world
        disk.process = process
        clock = world.clock_of(process)
        post = Post(lambda target, message: world.send(process, target, message))
        self.outbox = Outbox(_SCHEDULERS, _COLLECTOR, post)
        self.hands = SimulatedHands(
            Line(SLOTS, MEMORY, BUILD_MEMORY, BUILDS),
            clock,
            world.takes,
            lambda job: world.begins(process, job),
        )
        self.spool = world.parts.spool(disk, clock())
        self._to_bring: list[Key] = []
        self._results = Results(
            self.spool,
            SimulatedTransfers(world, process),
            "",
            self.outbox.to_collector,
            self._to_bring.append,
        )
        self.node = world.parts.node(
            _state(process, clock()),
            self.hands,
            NoSpares(),
            self.spool,
            self.outbox,
            self._results,
            lambda: self.hands.sound,
            clock,
            lambda: 0,
        )
        self.receive = self.node.receive
        self.node.start()

    def tick(self) -> None:
        """Look whether the disk takes results again, as the health check does, and go on."""
        self.hands.sound = not self.disk.full
        self.node.tick()
        while self._to_bring:
            self._results.bring(self._to_bring.pop(0))

    def end(self, key: Key, reason: str | None, output: Body = OUTPUT) -> None:
        """Let the code of a job end: what a slot does then."""
        result = self.hands.end(key, reason, output)
        self._world.ends(result)
        try:
            self.node.deliver(result)
        except OSError:
            self.hands.sound = False
            self.clean(key)
        else:
            self._world.keeps(result)

    def clean(self, key: Key) -> None:
        """Let a job that has ended give back what it took."""
        self.hands.clean(key, self.node.done)


class Post:
    """The sockets of a node."""

    def __init__(self, send: Callable[[str, Message], bool]) -> None:
        self._send = send

    def send_each(self, peers: Iterable[Peer], message: Message) -> bool:
        sent = [self._send(peer.address, message) for peer in peers]
        return any(sent)

    def close(self) -> None:
        pass


class SimulatedTransfers:
    """The way of large outputs to an API process, which keeps them in the archives."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def bring(self, url: str, content: bytes, sha256: str, headers: Mapping[str, str]) -> None:
        self._process.at("send output")
        if not self._world.living("api"):
            raise TransferError("no API process answers")
        self._world.keep(sha256)
        self._process.at("after output")


class NoSpares:
    """Stands in for ``Pool``: nothing waits for events."""

    def ready(self) -> tuple[tuple[str, int, int], ...]:
        return ()

    def forget(self, function_id: str) -> None:
        pass

    def drain(self) -> None:
        pass


def _state(process: Process, now: int) -> NodeState:
    return NodeState(
        node=process.name,
        instance=process.identity,
        address=process.name,
        ip="1",
        pid=1,
        version="1",
        joined_at=now,
        slots=SLOTS,
        memory=MEMORY,
        runtimes={},
    )
