"""Says decisions again, one by one, and that each was right."""

from collections import Counter
from collections.abc import Iterable

from pratai_scheduler.node import Attempted


class Replay:
    """Nodes that are all alike, by what each has open."""

    def __init__(self, nodes: Iterable[str], slots: int, memory: int) -> None:
        self._open = dict.fromkeys(nodes, slots)
        self._free = dict.fromkeys(self._open, memory)
        self._nodes_with = Counter(self._open.values())
        self._taken: dict[Attempted, tuple[str, int]] = {}

    def take(self, job: Attempted, node: str, memory: int, near: bool = False) -> None:
        """Check that a job went to a node which has room for it: with most open slots, unless it
        may be ``near`` to its code.
        """
        open_slots = self._open[node]
        assert near or open_slots == max(self._nodes_with), f"{node} was not the emptiest"
        assert open_slots > 0, f"{node} had no slot for {job}"
        assert self._free[node] >= memory, f"{node} had no memory for {job}"
        assert job not in self._taken, f"{job} was given to two nodes"
        self._taken[job] = (node, memory)
        self._move(node, -1, -memory)

    def give(self, job: Attempted) -> None:
        """Take back what a job had."""
        node, memory = self._taken.pop(job)
        self._move(node, 1, memory)

    def _move(self, node: str, slots: int, memory: int) -> None:
        self._free[node] += memory
        former = self._open[node]
        self._open[node] += slots
        self._nodes_with[former + slots] += 1
        self._nodes_with[former] -= 1
        if not self._nodes_with[former]:
            del self._nodes_with[former]
