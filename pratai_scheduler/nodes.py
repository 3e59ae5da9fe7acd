"""The table of nodes, and the choice among them. Pure: time comes in as an argument."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from pratai_common.messages import NodeState
from pratai_scheduler.affinity import Affinity, Code
from pratai_scheduler.fence import Fence
from pratai_scheduler.node import Attempted, Node, Reserved, Want

MOST_SLOTS = 1024
"""More of them are not believed of a node, unless something else is configured: it would draw all
jobs."""

_BUSY = 0.5
"""A node is not busy while no greater share of its slots is taken than this, or than that of all
nodes with a quarter more of it (consistent hashing with bounded loads; Mirrokni and others, 2018).
"""

_BUSIER = 1.25
_KEPT_MS = 5000
_ROOM_FOR_ALL = {False: 1 << 62, True: 1 << 62}
"""From what memory on there is none, for jobs without and with provisions."""


class _Kept(NamedTuple):
    job: Attempted
    node: Node
    until: int


class Nodes:
    """The living nodes by name, and by how many slots each has open.

    ``lease_ms``: silence after which a node is lost. ``adopt_ms``: time after which a job that
    its node does not mention never arrived (see ``Fence``). A choice looks at the emptiest nodes
    first, so its cost does not grow with the number of nodes while memory is not what lacks; what
    found no room is not looked for again before something is given back.
    """

    def __init__(self, lease_ms: int, adopt_ms: int, most_slots: int = MOST_SLOTS) -> None:
        self.lease_ms = lease_ms
        self._adopt_ms = adopt_ms
        self._most_slots = most_slots
        self._affinity = Affinity()
        self._slots = 0
        self._slots_of: dict[str, int] = {}
        self._open = 0
        self._fence = Fence(lease_ms, adopt_ms)
        self._looked_at: int | None = None
        self._nodes: dict[str, Node] = {}
        # Ordered ones, for a plain dictionary passes over all that was deleted to find its first.
        self._by_open_slots: dict[int, OrderedDict[str, Node]] = {}
        self._open_slots: dict[str, int] = {}
        self._runs: Counter[str] = Counter()
        self._projects: Counter[str] = Counter()
        self._holders: dict[Attempted, Node] = {}
        self._kept: _Kept | None = None
        self._room_came = False
        self._no_room_for = _ROOM_FOR_ALL.copy()

    @property
    def open(self) -> bool:
        """Say whether any node takes one more job."""
        return any(self._by_open_slots)

    @property
    def number(self) -> int:
        """Return how many there are."""
        return len(self._nodes)

    def living(self) -> list[Node]:
        """Return the nodes; also for other threads, which may see one that has just gone."""
        return list(self._nodes.values())

    def room_came(self) -> bool:
        """Say whether a node has more room than it had when this was asked last."""
        came, self._room_came = self._room_came, False
        return came

    def lead(self, epoch: int) -> list[NodeState]:
        """Act by an epoch, or not any more (0): who has not said it gets no work. Returns what all
        nodes said last, where that is new.
        """
        if epoch == self._fence.epoch:
            return []
        self._fence.lead(epoch)
        for node in self._nodes.values():
            self._file_changed(node)
        return [node.state for node in self._nodes.values()]

    def obeys(self, state: NodeState) -> bool:
        """Say whether a node has said the epoch by which this scheduler acts."""
        return self._fence.obeyed(state)

    def hearing_of_changes(self) -> list[NodeState]:
        """Return what the nodes said last that know ``FunctionChanged``."""
        states = [node.state for node in self._nodes.values()]
        return [state for state in states if state.clock is not None]

    def runs_of(self, function_id: str) -> int:
        """Return how many runs of a function are out."""
        return self._runs[function_id]

    def runs_of_project(self, project_id: str) -> int:
        """Return how many runs of a project's functions are out."""
        return self._projects[project_id]

    def project_of(self, name: str, job: Attempted) -> str:
        """Return whose run a job of a node is, empty where it is none."""
        node = self._nodes.get(name)
        reserved = None if node is None else node.reserved.get(job)
        return "" if reserved is None else reserved.project_id

    def get(self, name: str) -> Node | None:
        """Return a node that is not lost."""
        return self._nodes.get(name)

    def saw(
        self,
        state: NodeState,
        now: int,
        memory_of: Callable[[str], int] = lambda _: 0,
        owner_of: Callable[[str], str] = lambda _: "",
    ) -> bool:
        """Take in what a node says of itself; what it runs takes capacity from now on.

        ``memory_of`` says how much a run of a function takes, and ``owner_of`` which project has
        it, for runs that were not given from here. ``False`` where the node has said something
        newer.
        """
        state = self._believed(state)
        former = self._nodes.get(state.node)
        if former is not None and _newer(former.state, state):
            return False
        node = self._started(former, state, now)
        self._fence.heard(state.node)
        self._affinity.said(state.node, state.spares)
        slots, memory = self._open_slots.get(state.node, 0), node.free_memory
        node.state = state
        node.heard_at = now
        if self._fence.obeyed(state):  # else it may be dead, and this long on its way
            node.seen_at = now
        running = {
            (request_id, attempt): function for request_id, attempt, function in state.running
        }
        for job, reserved in list(node.reserved.items()):
            if job not in running and self._never_arrived(reserved, state, now):
                node.release(job)
        for job, function in running.items():
            node.runs_job(job, function, memory_of, owner_of, now)
        node.keeps(frozenset(state.spooled))
        for job in node.reserved.keys() & node.spooled:
            node.ended(job)
        self._room_came |= self._room(node) > slots or node.free_memory > memory
        self._file_changed(node)
        return True

    def left(self, name: str, instance: str) -> bool:
        """Forget a node that said goodbye; ``False`` where it is back already."""
        node = self._nodes.get(name)
        if node is None:
            return True
        if node.state.instance != instance:
            return False
        self._forget(node)
        return True

    def expire(self, now: int, known: Callable[[str], bool] = lambda _name: True) -> list[Node]:
        """Forget nodes that were silent too long, and those no longer ``known``; returns them.

        Of a time in which this was not asked a quarter of a lease counts: whoever stood still, or
        waited for the store, did not listen.
        """
        since = now if self._looked_at is None else self._looked_at
        self._looked_at = now
        deaf = now - since - self.lease_ms // 4
        if deaf > 0:
            for node in self._nodes.values():
                node.seen_at = min(now, node.seen_at + deaf)
        lost = [
            node
            for name, node in self._nodes.items()
            if now - node.seen_at > self.lease_ms or not known(name)
        ]
        for node in lost:
            self._forget(node)
            if now - node.seen_at > self.lease_ms:
                self._fence.fell_silent(node.state, now)
        return lost

    def silent(self, name: str) -> bool:
        """Say whether a node was silent for its lease, as this scheduler has heard itself: whatever
        it was given is void if it was not taken before (see ``Fence``).
        """
        return self._fence.silent(name)

    def place(
        self,
        job: Attempted,
        function_id: str,
        memory: int,
        now: int,
        code: Code | None = None,
        project_id: str = "",
        provisions: bool = False,
    ) -> Node | None:
        """Give a job to a node that is near to its code (see ``Affinity``), else to the one with
        most open slots; ``None`` while none has room.

        Builds count as runs of no function and no project: both ids are empty. One that needs
        ``provisions`` is given to a node alone that says that it gives them.
        """
        if self._kept is not None and now >= self._kept.until:
            self._end_keeping()
        want = Want(memory, provisions)
        node = self._kept_for(job, want, now)
        if node is None and code is not None:
            node = self._near(code, want, now)
        node = node or self._emptiest(want, now)
        if node is None:
            return None
        if code is not None:
            self._affinity.took(code, self._wanted(code), node.state.node)
        node.reserve(job, function_id, memory, now, self._fence.take_by(node.state), project_id)
        self._holders[job] = node  # whatever another says
        self._file(node)
        if self._kept is not None and self._kept.job == job:
            self._end_keeping()
        return node

    def keep(self, job: Attempted, memory: int, now: int, provisions: bool = False) -> None:
        """Give the node with most free memory no other jobs until this one fits, which others
        would take the room of for ever. One node at a time; it ends when nobody asks any more.
        """
        if self._kept is not None and self._kept.job != job:
            return
        if self._kept is None or self._kept.node.state.draining:
            able = [
                node
                for node in self._nodes.values()
                if not node.state.draining and node.could_have(Want(memory, provisions))
            ]
            if not able:
                return
            self._kept = _Kept(job, max(able, key=lambda node: node.free_memory), 0)
        self._kept = self._kept._replace(until=now + _KEPT_MS)

    def release(self, job: Attempted) -> None:
        """Take back what a job was given that did not leave: there is as much room as before."""
        node = self._holders.get(job)
        if node is not None:
            node.release(job)
            self._file_changed(node)

    def ended(self, name: str, instance: str, job: Attempted) -> str:
        """Count a job as a run no longer; returns the function it was a run of, if it was one."""
        node = self._nodes.get(name)
        if node is None or node.state.instance != instance or job not in node.reserved:
            return ""
        return node.ended(job)

    def done(self, name: str, instance: str, job: Attempted) -> str:
        """Give back what a job took; returns the function it was still counted as a run of."""
        function_id = self.ended(name, instance, job)
        node = self._nodes.get(name)
        if node is not None and node.state.instance == instance:
            node.release(job)
            self._room_came = True
            self._file_changed(node)
        return function_id

    def holds(self, name: str, job: Attempted) -> bool:
        """Say whether a node still runs a job or keeps its result."""
        node = self._nodes.get(name)
        return node is not None and node.holds(job)

    def holder(self, job: Attempted) -> Node | None:
        """Return the node that runs a job or keeps its result."""
        return self._holders.get(job)

    def _started(self, node: Node | None, state: NodeState, now: int) -> Node:
        """Return a node, a new one where it was started since it was here."""
        if node is not None and node.state.instance == state.instance:
            return node
        if node is not None:
            self._forget(node)
        self._affinity.joined(state.node)
        node = self._nodes[state.node] = Node(
            state, now, self._runs, self._holders, projects=self._projects
        )
        return node

    def _believed(self, state: NodeState) -> NodeState:
        if state.slots <= self._most_slots:
            return state
        return replace(state, slots=self._most_slots)

    def _never_arrived(self, reserved: Reserved, state: NodeState, now: int) -> bool:
        """Say whether a job that a node does not have by its words never came, or is over."""
        never = self._fence.never_taken(state, reserved.take_by)
        return now - reserved.since > self._adopt_ms if never is None else never

    def _room(self, node: Node) -> int:
        """Return how many more jobs a node is given."""
        return node.open_slots if self._takes_jobs(node) else 0

    def _takes_jobs(self, node: Node) -> bool:
        """Say whether a node is given jobs as long as it has room."""
        return node.able and self._fence.obeyed(node.state)

    def _able(self, node: Node, want: Want, now: int) -> bool:
        recent = self._fence.recent(node.state, node.heard_at, now)
        return recent and self._room(node) > 0 and node.has(want)

    def _kept_for(self, job: Attempted, want: Want, now: int) -> Node | None:
        """Return the node that is kept for a job, if there is room for it by now."""
        if self._kept is None or self._kept.job != job:
            return None
        node = self._kept.node
        return node if self._able(node, want, now) else None

    def _end_keeping(self) -> None:
        self._kept = None
        self._no_room_for = _ROOM_FOR_ALL.copy()

    def _near(self, code: Code, want: Want, now: int) -> Node | None:
        if want.memory >= self._no_room_for[want.provisions]:
            return None
        kept = None if self._kept is None else self._kept.node

        def room(name: str) -> float:
            open_slots = self._open_slots.get(name)
            if not open_slots:
                return 0.0
            node = self._nodes[name]
            if node is kept or not self._able(node, want, now):
                return 0.0
            return open_slots / node.state.slots

        slots = max(1, self._slots)
        easy = max(0.0, 1 - max(_BUSY, _BUSIER * (1 - self._open / slots)))
        name = self._affinity.choose(code, self._wanted(code), room, easy)
        return None if name is None else self._nodes[name]

    def _wanted(self, code: Code) -> float:
        """Return how many nodes the runs of a function fill, as far as nodes are to be filled."""
        return self._runs[code[0]] * len(self._nodes) / (_BUSY * max(1, self._slots))

    def _emptiest(self, want: Want, now: int) -> Node | None:
        if want.memory >= self._no_room_for[want.provisions]:
            return None
        kept = None if self._kept is None else self._kept.node
        for open_slots in sorted(self._by_open_slots, reverse=True):
            for node in self._by_open_slots[open_slots].values():
                if open_slots and node is not kept and self._able(node, want, now):
                    return node
        self._no_room_for[want.provisions] = want.memory
        return None

    def _file(self, node: Node) -> None:
        """Put a node where its open slots say that it belongs, behind those that are there."""
        name = node.state.node
        self._unfile(name)
        room = self._open_slots[name] = self._room(node)
        self._open += room
        slots = self._slots_of[name] = node.state.slots if self._takes_jobs(node) else 0
        self._slots += slots
        self._by_open_slots.setdefault(room, OrderedDict())[name] = node

    def _file_changed(self, node: Node) -> None:
        """File a node that may have room now for what found none."""
        self._file(node)
        self._no_room_for = _ROOM_FOR_ALL.copy()

    def _unfile(self, name: str) -> None:
        former = self._open_slots.pop(name, None)
        if former is not None:
            self._open -= former
            self._slots -= self._slots_of.pop(name)
            filed = self._by_open_slots[former]
            del filed[name]
            if not filed:
                del self._by_open_slots[former]

    def _forget(self, node: Node) -> None:
        for job in list(node.reserved):
            node.release(job)
        node.keeps(frozenset())
        del self._nodes[node.state.node]
        self._affinity.left(node.state.node)
        self._unfile(node.state.node)
        if self._kept is not None and self._kept.node is node:
            self._end_keeping()


def _newer(last: NodeState, state: NodeState) -> bool:
    """Say whether what a node said last is newer than something else that it said."""
    if last.instance != state.instance:
        return state.joined_at < last.joined_at
    return (state.clock or 0) < (last.clock or 0)
