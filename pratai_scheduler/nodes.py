"""The table of nodes, and the choice among them. Pure: time comes in as an argument."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pratai_common.messages import NodeState

Attempted = tuple[str, int]
"""A request's id and the number of its attempt."""

MOST_SPOOLED = 5000
"""A node with so many results that no collector has taken gets no more jobs: each stands in its
heartbeat, which has to fit into a message."""

_KEPT_MS = 5000
_EVERY_SIZE = 1 << 62


@dataclass(slots=True)
class _Reserved:
    function_id: str
    memory: int
    since: int


class _Kept(NamedTuple):
    job: Attempted
    node: "Node"
    until: int


@dataclass(eq=False, slots=True)
class Node:
    """A node as the scheduler sees it. ``seen_at`` and ``since`` are milliseconds, memory is MB.

    ``runs`` counts the runs of each function on all nodes, ``holders`` says which node has a job.
    """

    state: NodeState
    seen_at: int
    runs: Counter[str]
    holders: dict[Attempted, "Node"]
    reserved: dict[Attempted, _Reserved] = field(default_factory=dict)
    reserved_memory: int = 0
    spooled: frozenset[Attempted] = frozenset()

    @property
    def open_slots(self) -> int:
        """Return how many more jobs it takes: none while it drains, or keeps too many results."""
        if self.state.draining or len(self.spooled) >= MOST_SPOOLED:
            return 0
        return max(0, self.state.slots - len(self.reserved))

    @property
    def free_memory(self) -> int:
        """Return the memory that no job has."""
        return self.state.memory - self.reserved_memory

    def holds(self, job: Attempted) -> bool:
        """Say whether it runs a job or keeps its result."""
        return job in self.reserved or job in self.spooled

    def reserve(self, job: Attempted, function_id: str, memory: int, now: int) -> None:
        """Give a job its part of the node; one that has a part already gets this one instead."""
        self.release(job)
        self.reserved[job] = _Reserved(function_id, memory, now)
        self.reserved_memory += memory
        self.runs[function_id] += 1
        self.holders[job] = self

    def release(self, job: Attempted) -> None:
        """Take back what a job had, if it had anything."""
        reserved = self.reserved.pop(job, None)
        if reserved is None:
            return
        self.reserved_memory -= reserved.memory
        self.runs[reserved.function_id] -= 1
        if not self.runs[reserved.function_id]:
            del self.runs[reserved.function_id]
        self._let_go(job)

    def ended(self, job: Attempted) -> str:
        """Count a job as a run no longer; returns the function it was a run of, if it was one."""
        reserved = self.reserved[job]
        self.reserve(job, "", reserved.memory, reserved.since)
        return reserved.function_id

    def keeps(self, results: frozenset[Attempted]) -> None:
        """Note which results the node keeps."""
        former, self.spooled = self.spooled, results
        for job in former - results:
            self._let_go(job)
        for job in results:
            self.holders[job] = self

    def _let_go(self, job: Attempted) -> None:
        if not self.holds(job) and self.holders.get(job) is self:
            del self.holders[job]


class Nodes:
    """The living nodes by name, and by how many slots each has open.

    ``lease_ms``: silence after which a node is lost. ``adopt_ms``: time after which a job that
    its node does not mention never arrived. A choice looks at the emptiest nodes first, so its
    cost does not grow with the number of nodes while memory is not what lacks; what found no
    room is not looked for again before something is given back.
    """

    def __init__(self, lease_ms: int, adopt_ms: int) -> None:
        self.lease_ms = lease_ms
        self._adopt_ms = adopt_ms
        self._nodes: dict[str, Node] = {}
        # Ordered ones, for a plain dictionary passes over all that was deleted to find its first.
        self._by_open_slots: dict[int, OrderedDict[str, Node]] = {}
        self._open_slots: dict[str, int] = {}
        self._runs: Counter[str] = Counter()
        self._holders: dict[Attempted, Node] = {}
        self._kept: _Kept | None = None
        self._no_room_for = _EVERY_SIZE

    @property
    def open(self) -> bool:
        """Say whether any node takes one more job."""
        return any(self._by_open_slots)

    def runs_of(self, function_id: str) -> int:
        """Return how many runs of a function are out."""
        return self._runs[function_id]

    def get(self, name: str) -> Node | None:
        """Return a node that is not lost."""
        return self._nodes.get(name)

    def saw(
        self, state: NodeState, now: int, memory_of: Callable[[str], int] = lambda _: 0
    ) -> bool:
        """Take in what a node says of itself; what it runs takes capacity from now on.

        ``memory_of`` says how much a run of a function takes, for runs that were not given from
        here. ``False`` where a node was started again since it said so.
        """
        node = self._nodes.get(state.node)
        if node is None or node.state.instance != state.instance:
            if node is not None:
                if state.joined_at < node.state.joined_at:
                    return False
                self._forget(node)
            node = self._nodes[state.node] = Node(state, now, self._runs, self._holders)
        node.state, node.seen_at = state, now
        running = {
            (request_id, attempt): function for request_id, attempt, function in state.running
        }
        for job, reserved in list(node.reserved.items()):
            if job not in running and now - reserved.since > self._adopt_ms:
                node.release(job)
        for job in running.keys() - node.reserved.keys():
            node.reserve(job, running[job], memory_of(running[job]), now)
        node.keeps(frozenset(state.spooled))
        for job in node.reserved.keys() & node.spooled:
            node.ended(job)
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

    def expire(self, now: int) -> list[Node]:
        """Forget nodes that were silent too long; returns them."""
        lost = [node for node in self._nodes.values() if now - node.seen_at > self.lease_ms]
        for node in lost:
            self._forget(node)
        return lost

    def place(self, job: Attempted, function_id: str, memory: int, now: int) -> Node | None:
        """Give a job to the node with most open slots; ``None`` while none has room.

        Builds count as runs of no function: ``function_id`` is empty.
        """
        if self._kept is not None and now >= self._kept.until:
            self._end_keeping()
        node = self._kept_for(job, memory) or self._emptiest(memory)
        if node is None:
            return None
        node.reserve(job, function_id, memory, now)
        self._file(node)
        if self._kept is not None and self._kept.job == job:
            self._end_keeping()
        return node

    def keep(self, job: Attempted, memory: int, now: int) -> None:
        """Give the node with most free memory no other jobs until this one fits, which others
        would take the room of for ever. One node at a time; it ends when nobody asks any more.
        """
        if self._kept is not None and self._kept.job != job:
            return
        if self._kept is None or self._kept.node.state.draining:
            able = [
                node
                for node in self._nodes.values()
                if node.state.memory >= memory and not node.state.draining
            ]
            if not able:
                return
            self._kept = _Kept(job, max(able, key=lambda node: node.free_memory), 0)
        self._kept = self._kept._replace(until=now + _KEPT_MS)

    def release(self, job: Attempted) -> None:
        """Take back what a job was given that did not leave."""
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
            self._file_changed(node)
        return function_id

    def holds(self, name: str, job: Attempted) -> bool:
        """Say whether a node still runs a job or keeps its result."""
        node = self._nodes.get(name)
        return node is not None and node.holds(job)

    def holder(self, job: Attempted) -> Node | None:
        """Return the node that runs a job or keeps its result."""
        return self._holders.get(job)

    def _kept_for(self, job: Attempted, memory: int) -> Node | None:
        """Return the node that is kept for a job, if there is room for it by now."""
        if self._kept is None or self._kept.job != job:
            return None
        node = self._kept.node
        return node if node.open_slots and node.free_memory >= memory else None

    def _end_keeping(self) -> None:
        self._kept = None
        self._no_room_for = _EVERY_SIZE

    def _emptiest(self, memory: int) -> Node | None:
        if memory >= self._no_room_for:
            return None
        kept = None if self._kept is None else self._kept.node
        for open_slots in sorted(self._by_open_slots, reverse=True):
            for node in self._by_open_slots[open_slots].values():
                if open_slots and node.free_memory >= memory and node is not kept:
                    return node
        self._no_room_for = memory
        return None

    def _file(self, node: Node) -> None:
        """Put a node where its open slots say that it belongs, behind those that are there."""
        name = node.state.node
        self._unfile(name)
        self._open_slots[name] = node.open_slots
        self._by_open_slots.setdefault(node.open_slots, OrderedDict())[name] = node

    def _file_changed(self, node: Node) -> None:
        """File a node that may have room now for what found none."""
        self._file(node)
        self._no_room_for = _EVERY_SIZE

    def _unfile(self, name: str) -> None:
        former = self._open_slots.pop(name, None)
        if former is not None:
            filed = self._by_open_slots[former]
            del filed[name]
            if not filed:
                del self._by_open_slots[former]

    def _forget(self, node: Node) -> None:
        for job in list(node.reserved):
            node.release(job)
        node.keeps(frozenset())
        del self._nodes[node.state.node]
        self._unfile(node.state.node)
        if self._kept is not None and self._kept.node is node:
            self._end_keeping()
