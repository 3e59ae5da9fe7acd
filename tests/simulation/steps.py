"""The steps of histories, by name. Each is given two numbers, which choose among what there is."""

from collections.abc import Callable
from typing import NamedTuple

from pratai_common.messages import Result
from pratai_common.records import Body, Request
from tests.simulation.catalogue import FUNCTIONS
from tests.simulation.clients import CALL_WAITS, ApiDaemon, Wanted
from tests.simulation.coverage import POINTS
from tests.simulation.daemons import COLLECTOR
from tests.simulation.hands import LARGE, OUTPUT
from tests.simulation.nodes import NodeDaemon
from tests.simulation.process import Armed
from tests.simulation.world import APIS, NAMES, NODES, ROLES, Held, World

MOST_OPEN = 40
"""Requests that have not ended: histories that pile up more come to nothing new."""

MOST_ARMED = 24
"""Faults that wait for one daemon."""

_REASONS = (None, None, None, "exception", "exception", "exception", "timeout", "node_lost")


class Step(NamedTuple):
    """One thing that happens."""

    name: str
    a: int
    b: int


def take(world: World, step: Step) -> None:
    """Let a step happen, and check what holds at any time."""
    STEPS[step.name].act(world, step.a, step.b)
    world.check()


def _deliver(world: World, a: int, b: int) -> None:
    targets = sorted({target for _, target in world.network.filled()})
    for offset in range(len(targets)):
        if world.deliver(targets[(a + offset) % len(targets)], (1, 2, 4, 16)[b % 4], b // 4):
            return


def _submit(world: World, a: int, b: int) -> None:
    api = _api(world, b)
    if api is None or _open(world) >= MOST_OPEN:
        return
    for _ in range(6 if b % 16 == 0 else 1):
        world.asked += 1
        delay = 3_000 if b % 5 == 0 else 0
        wanted = Wanted(FUNCTIONS[a % len(FUNCTIONS)], f"{world.asked}", delay)
        _ask(world, api, wanted, waits=b % 3 == 0)


def _ask(world: World, api: ApiDaemon, wanted: Wanted, waits: bool) -> None:
    """Ask for a run; who is not told 202 may ask again."""
    accepted = len(world.ledger.accepted)
    with world.runs(api.process):
        api.submit(wanted, waits)
    if len(world.ledger.accepted) == accepted:
        world.unanswered.append(wanted)


def _again(world: World, a: int, b: int) -> None:
    api = _api(world, b)
    if api is not None and world.unanswered:
        world.coverage.events["a client asked again"] += 1
        wanted = world.unanswered.pop(a % len(world.unanswered))
        _ask(world, api, wanted, waits=False)


def _call(world: World, a: int, b: int) -> None:
    api = _api(world, b)
    if api is not None and _open(world) < MOST_OPEN:
        world.asked += 1
        wanted = Wanted(FUNCTIONS[a % len(FUNCTIONS)], f"{world.asked}")
        with world.runs(api.process):
            api.call(wanted, CALL_WAITS[b % len(CALL_WAITS)])


def _upload(world: World, a: int, b: int) -> None:
    api = _api(world, b)
    if api is not None:
        world.uploads += 1
        with world.runs(api.process):
            api.upload(world.uploads)


def _cancel(world: World, a: int, b: int) -> None:
    api = _api(world, b)
    open_ = [each for each in world.ledger.rows.values() if not each.status.final]
    if api is not None and open_:
        with world.runs(api.process):
            api.cancel(open_[a % len(open_)].request_id)


def _end(world: World, a: int, b: int) -> None:
    node = _node(world, a)
    if node is not None and node.hands.running:
        keys = list(node.hands.running)
        with world.runs(node.process):
            output = OUTPUT if b < 160 else LARGE
            node.end(keys[b // 8 % len(keys)], _REASONS[b % len(_REASONS)], output)


def _clean(world: World, a: int, b: int) -> None:
    node = _node(world, a)
    if node is not None and node.hands.cleaning:
        keys = list(node.hands.cleaning)
        with world.runs(node.process):
            node.clean(keys[b % len(keys)])


def _pass(world: World, a: int, b: int) -> None:
    world.pass_time((100, 300, 1000, 1000)[a % 4])


def _drain(world: World, a: int, b: int) -> None:
    """A node is drained, its jobs end, and it leaves; it is started again later."""
    node = _node(world, a)
    if node is None:
        return
    world.coverage.events["a node was drained"] += 1
    with world.runs(node.process):
        node.node.drain()
        for key in list(node.hands.running):
            node.end(key, None if b % 2 else "node_lost")
        for key in list(node.hands.cleaning):
            node.clean(key)
        node.node.leave()
        world.leave(node.process)


# Faults


def _lose(world: World, a: int, b: int) -> None:
    if filled := world.network.filled():
        world.coverage.events["a letter was lost"] += 1
        world.network.lose(filled[a % len(filled)], b)


def _double(world: World, a: int, b: int) -> None:
    if filled := world.network.filled():
        world.coverage.events["a letter came twice"] += 1
        letter = world.network.double(filled[a % len(filled)], b)
        world.ledger.blind = world.ledger.blind or letter.kind in ("Job", "Build")


def _swap(world: World, a: int, b: int) -> None:
    filled = world.network.filled()
    if filled and world.network.swap(filled[a % len(filled)], b):
        world.coverage.events["letters came out of order"] += 1


def _cut(world: World, a: int, b: int) -> None:
    one, other = NAMES[a % len(NAMES)], NAMES[a // len(NAMES) % len(NAMES)]
    if ROLES[one] != ROLES[other]:
        world.coverage.events["a wire was cut"] += 1
        world.network.cut(one, other, world.now + 500 * (b % 40))


def _hold(world: World, a: int, b: int) -> None:
    """The next job that is sent is long on its way; its scheduler may die meanwhile."""
    world.to_hold.append(Held(500 * (4 + b % 28), scheduler_dies=bool(a % 2)))


def _kill(world: World, a: int, b: int) -> None:
    daemon = world.daemons.get(NAMES[a % len(NAMES)])
    if daemon is not None:
        world.bury(daemon.process, power=bool(b % 2))


def _start(world: World, a: int, b: int) -> None:
    world.start(NAMES[a % len(NAMES)])


def _stop(world: World, a: int, b: int) -> None:
    daemon = world.daemons.get(NAMES[a % len(NAMES)])
    if daemon is not None:
        daemon.process.stopped_until = world.now + 500 * (b % 30)
        world.ledger.blind = world.ledger.blind or daemon.process.role == "scheduler"


def _crash_at(world: World, a: int, b: int) -> None:
    """The daemons of a role will die at one of the points where daemons have to have died."""
    role, point = POINTS[a % len(POINTS)]
    for which in range(3):
        _arm(world, role, which, Armed("crash", point, b // 200))


def _crash(world: World, a: int, b: int) -> None:
    _arm(world, ROLES[NAMES[a % len(NAMES)]], a // 16, Armed("crash", "", b % 24))


def _stand(world: World, a: int, b: int) -> None:
    """Some daemon will stand still in the midst of what it does, for long or for a moment."""
    where = ("", "before change_requests", "send Job", "after")[b // 4 % 4]
    milliseconds = (500, 3_000, 6_000, 12_000)[b % 4]
    role = ("scheduler", "collector", "node", "api")[a % 4]
    _arm(world, role, a // 4, Armed("stop", where, b // 16 % 8, milliseconds))


def _away(world: World, a: int, b: int) -> None:
    """The store will be away for some daemon, once or for a time."""
    role = ("scheduler", "collector", "api", "agent")[a % 4]
    for _ in range(1 + b // 16 % 4):
        where = ("before", "after", "within")[b % 3]
        _arm(world, role, a // 4, Armed("away", where, b // 3 % 8))


def _arm(world: World, role: str, which: int, armed: Armed) -> None:
    names = [name for name in NAMES if ROLES[name] == role]
    name = names[which % len(names)]
    if len(world.armed[name]) < MOST_ARMED:
        world.armed[name].append(armed)


def _fill_disk(world: World, a: int, b: int) -> None:
    disk = world.disks[NODES[a % len(NODES)]]
    disk.full = not disk.full
    world.coverage.events["a disk was full"] += disk.full


def _forge(world: World, a: int, b: int) -> None:
    node = _node(world, a)
    open_ = [each for each in world.ledger.rows.values() if not each.status.final]
    if node is not None and open_:
        world.coverage.events["a result was forged"] += 1
        with world.runs(node.process):
            world.send(node.process, COLLECTOR, _forged(world, node, open_[b % len(open_)]))


def _forged(world: World, node: NodeDaemon, record: Request) -> Result:
    """Return what a node that is broken into says of a request that it was not given."""
    return Result(
        request_id=record.request_id,
        attempt=max(1, record.attempt),
        node=node.process.name,
        epoch=1,
        project_id=record.project_id,
        token=bytes(16),
        output=Body.inline(b'"forged"'),
        started_at=world.now,
        finished_at=world.now,
    )


def _api(world: World, b: int) -> ApiDaemon | None:
    daemon = world.free(APIS[b % len(APIS)])
    return daemon if isinstance(daemon, ApiDaemon) else None


def _node(world: World, a: int) -> NodeDaemon | None:
    daemon = world.free(NODES[a % len(NODES)])
    return daemon if isinstance(daemon, NodeDaemon) else None


def _open(world: World) -> int:
    return sum(not each.status.final for each in world.ledger.rows.values())


class Kind(NamedTuple):
    """What a step does, and how often it is chosen beside others."""

    act: Callable[[World, int, int], None]
    weight: float


WORK = {
    "deliver": Kind(_deliver, 10),
    "submit": Kind(_submit, 1.5),
    "call": Kind(_call, 0.8),
    "again": Kind(_again, 0.4),
    "cancel": Kind(_cancel, 0.3),
    "upload": Kind(_upload, 0.8),
    "end": Kind(_end, 4),
    "clean": Kind(_clean, 3),
    "pass": Kind(_pass, 2.5),
}
FAULTS = {
    "lose": Kind(_lose, 0.8),
    "double": Kind(_double, 0.5),
    "swap": Kind(_swap, 0.8),
    "cut": Kind(_cut, 0.3),
    "hold": Kind(_hold, 0.6),
    "kill": Kind(_kill, 0.3),
    "start": Kind(_start, 0.3),
    "stop": Kind(_stop, 0.2),
    "crash": Kind(_crash, 0.8),
    "crash_at": Kind(_crash_at, 0.5),
    "stand": Kind(_stand, 0.6),
    "away": Kind(_away, 0.8),
    "fill_disk": Kind(_fill_disk, 0.2),
    "forge": Kind(_forge, 0.2),
    "drain": Kind(_drain, 0.25),
}
STEPS = {**WORK, **FAULTS}
