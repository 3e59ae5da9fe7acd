"""An installation in one thread: daemons, network, disks and store, and the clock that all share.

Nothing happens by itself. A history is a list of steps, each a name and two numbers; the same steps
do the same again. ``Ledger`` checks what must hold, at each write and after each step.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Build, Job, Message, Result
from pratai_common.senders import Identity, Role, may_say
from tests.simulation.catalogue import fill
from tests.simulation.clients import AgentDaemon, ApiDaemon, Wanted
from tests.simulation.coverage import Coverage
from tests.simulation.daemons import (
    ADOPT_MS,
    COLLECTOR,
    SCHEDULER,
    SCHEDULERS,
    TICKS_MS,
    CollectorDaemon,
    Daemon,
    Parts,
    SchedulerDaemon,
)
from tests.simulation.disk import SimulatedDisk
from tests.simulation.ledger import Ledger, require
from tests.simulation.network import Letter, Network
from tests.simulation.nodes import NodeDaemon
from tests.simulation.process import Armed, Crash, Process
from tests.simulation.store import MemoryStore
from tests.simulation.tables import Contents

ROLES = {
    "scheduler1": "scheduler",
    "scheduler2": "scheduler",
    "collector1": "collector",
    "collector2": "collector",
    "node1": "node",
    "node2": "node",
    "node3": "node",
    "api1": "api",
    "api2": "api",
    "agent1": "agent",
    "agent2": "agent",
}
NAMES = tuple(ROLES)
NODES = tuple(name for name in NAMES if ROLES[name] == "node")
APIS = tuple(name for name in NAMES if ROLES[name] == "api")
TICK_MS = 1000
MOST_SKEW_MS = 400
"""By so much a clock is wrong at most, which is what a service for time keeps on any network."""

RESTART_MS = 4000
"""A daemon that died is started again so much later at the latest."""


class Held(NamedTuple):
    """For how long the next job is on its way, and whether its scheduler dies at once."""

    milliseconds: int
    scheduler_dies: bool


class World:
    """See the module. ``seed`` decides what no step names: who begins first, what clocks show."""

    def __init__(self, seed: int, coverage: Coverage, parts: type[Parts] = Parts) -> None:
        chance = random.Random(seed)
        self.now = 1_000_000 + chance.randrange(TICK_MS)
        self.parts = parts()
        self.coverage = coverage
        self.calm = False
        self.network = Network()
        self.ledger = Ledger(coverage)
        self.contents = Contents(lists_lag=chance.random() < 0.5)
        requests = self.contents.requests
        if requests.listed is requests.rows:
            requests.listed = self.ledger.rows
        requests.rows = self.ledger.rows
        self.store = MemoryStore(self.contents)
        self.store.create_schema()
        fill(self.store)
        self.contents.refresh()
        skews = chance.random() < 0.25
        self._skew = {name: chance.randrange(-MOST_SKEW_MS, MOST_SKEW_MS) * skews for name in NAMES}
        self.disks = {name: SimulatedDisk() for name in NODES}
        self.daemons: dict[str, Daemon] = {}
        self.unanswered: list[Wanted] = []
        self.to_hold: list[Held] = []
        self.uploads = 0
        self.asked = 0
        self.armed: dict[str, list[Armed]] = {name: [] for name in NAMES}
        """What will befall daemons, and those that are started in their place."""

        self._starts = dict.fromkeys(NAMES, 0)
        self._died_at: dict[str, int] = {}
        self._ticks: dict[str, int] = {}
        self._sent = 0
        self._refreshed_at = self.now
        for name in chance.sample(NAMES, len(NAMES)):
            self.start(name)

    # What daemons need (see daemons.World)

    def clock_of(self, process: Process) -> Clock:
        """Return a daemon's own clock, which may differ from the others'."""
        skew = self._skew[process.name]
        return lambda: self.now + skew

    def store_of(self, process: Process) -> MemoryStore:
        """Return a daemon's own way to the store."""

        def hook(when: str) -> Callable[[str], None]:
            return lambda method: process.at(f"{when} {method}")

        return MemoryStore(self.contents, hook("before"), hook("within"), hook("after"))

    def send(self, process: Process, target: str, message: Message) -> bool:
        """Have a message sent: to all schedulers, to a collector, or to one daemon."""
        process.at(f"send {type(message).__name__}")
        self.ledger.sent(process, target, message)
        daemon = self.daemons.get(process.name)
        if isinstance(message, Job | Build) and isinstance(daemon, SchedulerDaemon):
            self.ledger.dispatched(daemon, message, self.nodes)
        if target == SCHEDULER:
            targets = list(SCHEDULERS)
        elif target == COLLECTOR:
            self._sent += 1
            living = sorted(self.living(COLLECTOR)) or ["collector1"]
            targets = [living[self._sent % len(living)]]
        else:
            targets = [target]
        if isinstance(message, Job | Build) and self.to_hold:
            self._hold(process, target, self.to_hold.pop())
        sent = [self.network.send(process.name, each, message, self.now) for each in targets]
        return any(sent)

    def _hold(self, process: Process, node: str, held: Held) -> None:
        self.coverage.events["a job was long on its way"] += 1
        self.network.hold((process.name, node), self.now + held.milliseconds)
        if held.scheduler_dies:
            self.armed[process.name].insert(0, Armed("crash", "", 0))

    def living(self, role: str) -> frozenset[str]:
        """Return the daemons of a role that live."""
        return frozenset(name for name in self.daemons if ROLES[name] == role)

    def takes(self, job: Job | Build) -> None:
        """Hear of a job that a node takes."""
        self.ledger.takes(job)

    def begins(self, process: Process, job: Job | Build) -> None:
        """Hear of a job that begins on a node."""
        self.ledger.begins(process, job)

    def ends(self, result: Result) -> None:
        """Hear of the result of a job whose code has ended."""
        self.ledger.ends(result)

    def keep(self, sha256: str) -> None:
        """Have an output kept in the archives."""
        self.ledger.archived.add(sha256)

    def keeps(self, result: Result) -> None:
        """Hear of a result that a node has put into its spool."""
        self.ledger.keeps(result)

    def meanwhile(self, process: Process, milliseconds: int) -> None:
        """Let the others go on, while a process stands still in the midst of what it does."""
        acting, until = self.ledger.acting, self.now + milliseconds
        if process.role == "scheduler":
            self.ledger.blind = True
        while self.now < until:
            self.go_on()
            self.pass_time(TICK_MS // 2)
        self.ledger.acting = acting
        if process.role == "scheduler":
            self.coverage.events["a former scheduler woke"] += 1

    # Processes

    def start(self, name: str) -> None:
        """Start a daemon that is not there."""
        if name in self.daemons:
            return
        self._starts[name] += 1
        process = Process(name, ROLES[name], self._starts[name], self.armed[name], self)
        self._died_at.pop(name, None)
        self._ticks[name] = self.now + TICK_MS // 2
        with self.runs(process):
            self.daemons[name] = self._made(process)
        if process.dead:
            self.daemons.pop(name, None)

    def _made(self, process: Process) -> Daemon:
        if process.role == "scheduler":
            self.ledger.blind = self.ledger.blind or self._starts[process.name] > 1
            return SchedulerDaemon(self, process)
        if process.role == "collector":
            return CollectorDaemon(self, process)
        if process.role == "node":
            return NodeDaemon(self, process, self.disks[process.name])
        if process.role == "api":
            return ApiDaemon(self, process, self.ledger)
        return AgentDaemon(self, process, self.ledger, self.now - AgentDaemon.EVERY_MS)

    @contextmanager
    def runs(self, process: Process) -> Iterator[None]:
        """Let a process do something, as its loop does: the store may be away, and it may die."""
        former, self.ledger.acting = self.ledger.acting, process
        try:
            yield
        except StoreUnavailableError:
            pass
        except (Crash, Exception):
            if not process.dead:
                raise
            # What stands in a ``finally`` is gone through here, and may fail in its own way.
            self.bury(process, power=False)
        finally:
            self.ledger.acting = former

    def bury(self, process: Process, power: bool) -> None:
        """Take a process away that is dead, with what it had in its memory and sockets."""
        process.dead = True
        self.daemons.pop(process.name, None)
        self._died_at[process.name] = self.now
        self.network.died(process.name, also_sent=power)
        if process.role == "scheduler":
            self.ledger.blind = True
        if power and process.name in self.disks:
            self._lose_power(process.name)

    def _lose_power(self, node: str) -> None:
        disk = self.disks[node]
        before = disk.journaled()
        if disk.lose_power():
            self.coverage.events["a disk lost what was not synced"] += 1
        self.ledger.lost(node, before - disk.journaled())

    def leave(self, process: Process) -> None:
        """Let a process end on purpose."""
        process.dead = True
        self.daemons.pop(process.name, None)
        self._died_at[process.name] = self.now

    def free(self, name: str) -> Daemon | None:
        """Return a daemon that can do something now: not one that is dead, or stands still."""
        daemon = self.daemons.get(name)
        if daemon is None or daemon.process.stands_at or daemon.process.stopped_until > self.now:
            return None
        return daemon

    @property
    def nodes(self) -> dict[str, NodeDaemon]:
        """Return the nodes that live."""
        return {name: each for name, each in self.daemons.items() if isinstance(each, NodeDaemon)}

    # What happens

    def deliver(self, target: str, most: int, first: int = 0) -> bool:
        """Deliver letters to somebody; says whether there were any."""
        daemon = self.free(target)
        letters = self.network.take(target, most, first) if daemon is not None else []
        if daemon is None or not letters:
            return False
        self._note_age(target, letters)
        messages = [self._opened(daemon, letter) for letter in letters]
        with self.runs(daemon.process):
            daemon.receive(messages)
        return True

    def _opened(self, daemon: Daemon, letter: Letter) -> Any:
        """Return the message of a letter, which its sender may send by its key."""
        message = daemon.decoder.decode([letter.frame])
        role = Role(ROLES[letter.source])
        sender = Identity(role, letter.source if role is Role.NODE else "")
        said = may_say(Role(daemon.process.role), message, sender)
        require(said, "somebody says what is not for it to say", sender, message)
        return message

    def _note_age(self, target: str, letters: list[Letter]) -> None:
        """Note whether a scheduler is told, or a node, what was long on its way."""
        oldest = min(letter.sent_at for letter in letters)
        if self.now - oldest > ADOPT_MS // 2 and ROLES[target] in ("scheduler", "node"):
            self.ledger.blind = True

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass: waits end, and daemons tick whose time it is."""
        self.now += milliseconds
        self.network.pass_time(self.now)
        if self.now - self._refreshed_at >= TICK_MS:
            self._refreshed_at = self.now
            self.contents.refresh()
        for name in [name for name, at in self._died_at.items() if self.now - at >= RESTART_MS]:
            self.start(name)
        for name in NAMES:
            daemon = self.free(name)
            if daemon is not None and self._ticks[name] <= self.now:
                self._ticks[name] = self.now + TICKS_MS.get(ROLES[name], TICK_MS)
                with self.runs(daemon.process):
                    daemon.tick()

    def go_on(self) -> None:
        """Let everything happen that can, without faults and without time."""
        happened = True
        while happened:
            happened = False
            for name in NAMES:
                while self.deliver(name, 64):
                    happened = True
            for node in list(self.nodes.values()):
                if self.free(node.process.name) and node.hands.begun:
                    self.work_off(node)

    def work_off(self, node: NodeDaemon) -> None:
        """Let all that a node runs end well."""
        with self.runs(node.process):
            for key in list(node.hands.running):
                node.end(key, None)
            for key in list(node.hands.cleaning):
                node.clean(key)

    def check(self) -> None:
        """Check what holds at any time."""
        self.ledger.check(self.nodes)
