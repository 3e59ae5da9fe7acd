"""No frame ends a daemon, and what comes behind it is handled as ever."""

import atexit
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import msgspec

from pratai_common.channels import Peer, Received
from pratai_common.daemon import Loop
from pratai_common.errors import Reason
from pratai_common.inbox import Inbox
from pratai_common.messages import (
    Build,
    Bye,
    CollectorMessage,
    Heartbeat,
    Hello,
    Job,
    LogPiece,
    Message,
    MessageDecoder,
    NodeMessage,
    NodeState,
    Result,
    SchedulerMessage,
    Stored,
    Submitted,
    encode,
)
from pratai_common.records import Body, Request, ResponseHead, Status
from pratai_common.senders import Identity, Role
from pratai_drivers.node import Node
from pratai_drivers.outbox import Outbox
from pratai_drivers.results import Results
from pratai_drivers.spool import Key, Spool
from pratai_scheduler.collector_daemon import Intake
from pratai_scheduler.roster import Understudy
from tests.fuzz.frames import frames
from tests.fuzz.fuzzing import fuzz
from tests.simulation.disk import SimulatedDisk
from tests.simulation.nodes import NoSpares
from tests.simulation.store import MemoryStore
from tests.unit.test_messages import ONE_OF_EACH, STATE
from tests.unit.world import World

GREATEST = 2**63 - 1
JOB = next(each for each in ONE_OF_EACH if isinstance(each, Job))


class Given:
    """An inlet at which some frames have arrived."""

    curve = None

    def __init__(self, *arrived: bytes) -> None:
        self._arrived = [Received([frame], b"") for frame in arrived]

    def receive(self, timeout_ms: int, most: int) -> list[Received]:
        arrived, self._arrived = self._arrived, []
        return arrived


def hear(handler: Any, kinds: object, *arrived: bytes) -> None:
    """Have a daemon's loop go round once, with frames and a tick."""
    decoder: MessageDecoder[Any] = MessageDecoder(kinds)
    inlet: Any = Given(*arrived)
    Loop(Inbox(inlet, decoder), handler, 0).once()


@cache
def folder() -> Path:
    """Return where archives and keys are, until the process ends; nothing here changes them."""
    path = Path(mkdtemp(prefix="pratai-fuzz-"))
    atexit.register(rmtree, path)
    return path


class Platform(World):
    """A scheduler and a collector, a function, and a node that has a job of it."""

    def __init__(self) -> None:
        super().__init__(folder(), MemoryStore())
        self.heartbeat(Hello)
        self.function()
        self.request("running")
        self.pass_time(1000)
        [self.job] = self.to_nodes

    def check_records(self) -> None:
        """Check that a store of JSON, and one of columns, takes what is in this one."""
        contents = self.store.contents
        for table in (contents.requests, contents.daemons, contents.log_chunks):
            for record in table.rows.values():
                assert greatest(msgspec.to_builtins(record)) <= GREATEST
                msgspec.json.encode(record)


def greatest(value: Any) -> int:
    """Return the greatest integer in a tree."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return max(map(greatest, value), default=0)
    return abs(value) if isinstance(value, int) else 0


def claim(job: Job) -> dict[str, Any]:
    """Return what is said of an attempt in all that concerns it."""
    names = ("request_id", "attempt", "node", "epoch", "project_id", "token")
    return {name: getattr(job, name) for name in names}


TO_SCHEDULER = [each for each in ONE_OF_EACH if isinstance(each, SchedulerMessage)]
OF_THE_NODE = [
    Hello(state=NodeState(**{**STATE, "running": (("running", 1, "f"),)})),  # type: ignore[arg-type]
    Bye(node="n", instance="i"),
]


@fuzz("to-scheduler", frames(*TO_SCHEDULER, *OF_THE_NODE), 100)
def test_a_scheduler_goes_on(frame: bytes) -> None:
    platform = Platform()
    hear(platform.dispatcher, SchedulerMessage, frame)
    request = platform.request("ordinary")
    platform.heartbeat(Hello, node="m", instance="other", address="b")
    hint = platform.request("hinted", created_at=platform.now)
    hear(platform.dispatcher, SchedulerMessage, encode(Submitted(request=hint)), frame)
    platform.pass_time(1000)
    started = {request_id for request_id, _, _ in platform.jobs}
    assert {request.request_id, hint.request_id} <= started
    platform.check_records()


def genuine() -> list[Message]:
    """Return what the node of a platform may say to a collector of its job."""
    job: Job = Platform().job
    of_it = claim(job)
    times = {"started_at": 1, "finished_at": 2, "init_ms": 1.5, "run_ms": 2.5, "cold": True}
    head = ResponseHead(status=201, headers={"X": "x"})
    return [
        Result(**of_it, **times, output=Body.inline(b"{}"), response=head, peak_memory=1),
        Result(**of_it, **times, reason="exception", message="m", log_chunks=2),
        LogPiece(**of_it, seq=0, content=b"x"),
        Heartbeat(state=NodeState(**STATE)),  # type: ignore[arg-type]
        Bye(node="n", instance="i"),
    ]


@fuzz("to-collector", frames(*genuine()), 100)
def test_a_collector_goes_on(frame: bytes) -> None:
    platform = Platform()
    intake = Intake(
        platform.collector, Understudy(platform.store, lambda _node: None, lambda: platform.now)
    )
    hear(intake, CollectorMessage, frame)
    result = platform.result(platform.job, output=Body.inline(b"7"))
    hear(intake, CollectorMessage, encode(result), frame)
    running = platform.stored("running")
    assert running.status.final
    if running.reason is None:
        assert running.status is Status.SUCCESS
    assert Stored(request_id="running", attempt=1) in platform.acknowledged
    platform.check_records()
    for request in platform.store.contents.requests.rows.values():
        assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request


class Hands:
    """Nobody does what jobs ask: what is given to them is only known."""

    def __init__(self) -> None:
        self.given: list[Job | Build] = []

    def put(self, job: Job | Build) -> None:
        self.given.append(job)

    def interrupt(self, key: Key, reason: Reason, message: str) -> None:
        pass


class Nowhere:
    """Where messages go that nobody reads."""

    def send_each(self, peers: Iterable[Peer], message: Message) -> bool:
        return True

    def close(self) -> None:
        pass


class Nobody:
    """Nobody brings large outputs: there are none."""

    def bring(self, url: str, content: bytes, sha256: str, headers: Mapping[str, str]) -> None:
        raise AssertionError(url)


TO_NODE = [each for each in ONE_OF_EACH if isinstance(each, NodeMessage)]


@fuzz("to-node", frames(*TO_NODE), 100)
def test_a_node_goes_on(frame: bytes) -> None:
    hands, disk = Hands(), SimulatedDisk()
    disk.process = SimpleNamespace(at=lambda _point: None)  # type: ignore[assignment]  # it lives
    spool = Spool(disk, 0)
    outbox = Outbox([], Peer("", Identity(Role.COLLECTOR)), Nowhere())
    results = Results(spool, Nobody(), "http://127.0.0.1", outbox.to_collector, lambda _key: None)
    state = NodeState(**STATE)  # type: ignore[arg-type]
    sound, clock, dropped = (lambda: True), (lambda: 0), (lambda: 0)
    node = Node(state, hands, NoSpares(), spool, outbox, results, sound, clock, dropped)
    hear(node, NodeMessage, frame)
    before = len(hands.given)
    given = {"request_id": "ordinary", "epoch": GREATEST, "instance": "i", "timing": None}
    ordinary = Job(**{**fields(JOB), **given})
    hear(node, NodeMessage, encode(ordinary), frame)
    assert ordinary in hands.given[before:]
    node.deliver(Result(**claim(JOB), started_at=1, finished_at=1))
    assert spool.keys()
    hear(node, NodeMessage, encode(Stored(request_id=JOB.request_id, attempt=JOB.attempt)))
    assert not spool.keys()


def fields(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}
