"""The table of nodes, and the choice among them. Pure: time comes in as an argument."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pratai_common.messages import NodeState

Attempted = tuple[str, int]
"""A request's id and the number of its attempt."""


@dataclass
class _Reserved:
    memory: int
    since: int


@dataclass
class Node:
    """A node as the scheduler sees it. ``seen_at`` and ``since`` are milliseconds."""

    state: NodeState
    seen_at: int
    reserved: dict[Attempted, _Reserved] = field(default_factory=dict)

    @property
    def free_slots(self) -> int:
        """Return how many more jobs it takes."""
        return self.state.slots - len(self.reserved)

    @property
    def free_memory(self) -> int:
        """Return the memory, MB, that no job has."""
        return self.state.memory - sum(job.memory for job in self.reserved.values())

    def fits(self, memory: int) -> bool:
        """Say whether a job of this memory, MB, can start now."""
        return not self.state.draining and self.free_slots > 0 and self.free_memory >= memory


class Nodes:
    """The living nodes by name.

    ``lease_ms``: silence after which a node is lost. ``adopt_ms``: time after which a job that
    its node does not mention never arrived.
    """

    def __init__(self, lease_ms: int, adopt_ms: int) -> None:
        self.lease_ms = lease_ms
        self._adopt_ms = adopt_ms
        self._nodes: dict[str, Node] = {}

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def get(self, name: str) -> Node | None:
        """Return a node that is not lost."""
        return self._nodes.get(name)

    def saw(self, state: NodeState, now: int) -> Node:
        """Take in what a node says of itself; what it runs takes capacity from now on."""
        node = self._nodes.get(state.node)
        if node is None or node.state.instance != state.instance:
            node = Node(state, now)
            self._nodes[state.node] = node
        node.state, node.seen_at = state, now
        running = set(state.running)
        for job, reserved in list(node.reserved.items()):
            if job not in running and now - reserved.since > self._adopt_ms:
                del node.reserved[job]
        for job in running - node.reserved.keys():
            node.reserved[job] = _Reserved(memory=0, since=now)
        return node

    def left(self, name: str, instance: str) -> None:
        """Forget a node that said goodbye, unless it is back already."""
        node = self._nodes.get(name)
        if node is not None and node.state.instance == instance:
            del self._nodes[name]

    def expire(self, now: int) -> list[Node]:
        """Forget nodes that were silent too long; returns them."""
        lost = [node for node in self if now - node.seen_at > self.lease_ms]
        for node in lost:
            del self._nodes[node.state.node]
        return lost

    def place(self, job: Attempted, memory: int, now: int) -> Node | None:
        """Give a job to the node with most free slots; ``None`` while none has room."""
        fitting = [node for node in self if node.fits(memory)]
        if not fitting:
            return None
        node = max(fitting, key=lambda candidate: candidate.free_slots)
        node.reserved[job] = _Reserved(memory, now)
        return node

    def done(self, name: str, instance: str, job: Attempted) -> None:
        """Give back what a job took."""
        node = self._nodes.get(name)
        if node is not None and node.state.instance == instance:
            node.reserved.pop(job, None)

    def holds(self, name: str, job: Attempted) -> bool:
        """Say whether a node still runs a job or keeps its result."""
        node = self._nodes.get(name)
        if node is None:
            return False
        return job in node.reserved or job in node.state.spooled
