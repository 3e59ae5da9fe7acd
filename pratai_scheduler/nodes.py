"""The table of nodes, and the choice among them. Pure: time comes in as an argument."""

from collections import Counter
from dataclasses import dataclass, field

from pratai_common.messages import NodeState

Attempted = tuple[str, int]
"""A request's id and the number of its attempt."""


@dataclass
class _Reserved:
    function_id: str
    memory: int
    since: int


@dataclass
class Node:
    """A node as the scheduler sees it. ``seen_at`` and ``since`` are milliseconds, memory is MB.

    ``runs`` counts the runs of each function on all nodes.
    """

    state: NodeState
    seen_at: int
    runs: Counter[str]
    reserved: dict[Attempted, _Reserved] = field(default_factory=dict)
    reserved_memory: int = 0

    @property
    def open_slots(self) -> int:
        """Return how many more jobs it takes: none while it drains."""
        return 0 if self.state.draining else max(0, self.state.slots - len(self.reserved))

    @property
    def free_memory(self) -> int:
        """Return the memory that no job has."""
        return self.state.memory - self.reserved_memory

    def reserve(self, job: Attempted, function_id: str, memory: int, now: int) -> None:
        """Give a job its part of the node; one that has a part already gets this one instead."""
        self.release(job)
        self.reserved[job] = _Reserved(function_id, memory, now)
        self.reserved_memory += memory
        self.runs[function_id] += 1

    def release(self, job: Attempted) -> None:
        """Take back what a job had, if it had anything."""
        reserved = self.reserved.pop(job, None)
        if reserved is None:
            return
        self.reserved_memory -= reserved.memory
        self.runs[reserved.function_id] -= 1
        if not self.runs[reserved.function_id]:
            del self.runs[reserved.function_id]


class Nodes:
    """The living nodes by name, and by how many slots each has open.

    ``lease_ms``: silence after which a node is lost. ``adopt_ms``: time after which a job that
    its node does not mention never arrived. A choice looks at the emptiest nodes first, so its
    cost does not grow with the number of nodes while memory is not what lacks.
    """

    def __init__(self, lease_ms: int, adopt_ms: int) -> None:
        self.lease_ms = lease_ms
        self._adopt_ms = adopt_ms
        self._nodes: dict[str, Node] = {}
        self._by_open_slots: dict[int, dict[str, Node]] = {}
        self._open_slots: dict[str, int] = {}
        self._runs: Counter[str] = Counter()

    def runs_of(self, function_id: str) -> int:
        """Return how many runs of a function are out."""
        return self._runs[function_id]

    def get(self, name: str) -> Node | None:
        """Return a node that is not lost."""
        return self._nodes.get(name)

    def saw(self, state: NodeState, now: int) -> None:
        """Take in what a node says of itself; what it runs takes capacity from now on."""
        node = self._nodes.get(state.node)
        if node is None or node.state.instance != state.instance:
            if node is not None:
                self._forget(node)
            node = self._nodes[state.node] = Node(state, now, self._runs)
        node.state, node.seen_at = state, now
        running = {
            (request_id, attempt): function for request_id, attempt, function in state.running
        }
        for job, reserved in list(node.reserved.items()):
            if job not in running and now - reserved.since > self._adopt_ms:
                node.release(job)
        for job in running.keys() - node.reserved.keys():
            node.reserve(job, running[job], 0, now)
        self._file(node)

    def left(self, name: str, instance: str) -> None:
        """Forget a node that said goodbye, unless it is back already."""
        node = self._nodes.get(name)
        if node is not None and node.state.instance == instance:
            self._forget(node)

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
        for open_slots in sorted(self._by_open_slots, reverse=True):
            for node in self._by_open_slots[open_slots].values():
                if open_slots and node.free_memory >= memory:
                    node.reserve(job, function_id, memory, now)
                    self._file(node)
                    return node
        return None

    def hopeless(self, memory: int) -> bool:
        """Say whether there are nodes, and none of them could ever have so much memory free."""
        return bool(self._nodes) and all(
            node.state.memory < memory for node in self._nodes.values()
        )

    def ended(self, name: str, instance: str, job: Attempted) -> str:
        """Count a job as a run no longer; returns the function it was a run of, if it was one."""
        node = self._nodes.get(name)
        if node is None or node.state.instance != instance or job not in node.reserved:
            return ""
        reserved = node.reserved[job]
        node.reserve(job, "", reserved.memory, reserved.since)
        return reserved.function_id

    def done(self, name: str, instance: str, job: Attempted) -> str:
        """Give back what a job took; returns the function it was still counted as a run of."""
        function_id = self.ended(name, instance, job)
        node = self._nodes.get(name)
        if node is not None and node.state.instance == instance:
            node.release(job)
            self._file(node)
        return function_id

    def holds(self, name: str, job: Attempted) -> bool:
        """Say whether a node still runs a job or keeps its result."""
        node = self._nodes.get(name)
        return node is not None and (job in node.reserved or job in node.state.spooled)

    def holder(self, job: Attempted) -> Node | None:
        """Return the node that runs a job or keeps its result."""
        return next((node for name, node in self._nodes.items() if self.holds(name, job)), None)

    def _file(self, node: Node) -> None:
        """Put a node where its open slots say that it belongs, behind those that are there."""
        name = node.state.node
        self._unfile(name)
        self._open_slots[name] = node.open_slots
        self._by_open_slots.setdefault(node.open_slots, {})[name] = node

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
        del self._nodes[node.state.node]
        self._unfile(node.state.node)
