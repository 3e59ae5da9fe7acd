"""Scheduler decisions a second with 10, 100, 1,000 and 10,000 simulated nodes, on one core.

What is decided for each dispatch, and nothing else: a job is given to a node (``Nodes.place``),
and another gives its part back (``Nodes.done``). Half of all slots are taken throughout, and jobs
end in any order. The baseline is a heap of nodes by open slots that makes the same checks.

Afterwards all decisions are replayed: each job went to one node, which had the most open slots and
was never over its capacity.
"""

import heapq
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple, Protocol

from benchmarks.common import Figure, Values, interleaved, ratio
from benchmarks.replay import Replay
from benchmarks.simulated import INSTANCE, JOB_MEMORY, MEMORY, SIZES, SLOTS, states
from pratai_common.messages import NodeState
from pratai_scheduler.node import Attempted
from pratai_scheduler.nodes import Nodes

_DECISIONS = 20_000
_FUNCTION = "f"
_NOW = 1


class Chosen(Protocol):
    """A node, as far as it matters here."""

    state: NodeState


class Table(Protocol):
    """What chooses: :class:`Nodes` or the baseline."""

    def place(self, job: Attempted, function_id: str, memory: int, now: int) -> Chosen | None:
        """Give a job to a node."""

    def done(self, name: str, instance: str, job: Attempted) -> str:
        """Give back what a job took."""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    contestants = []
    for size in SIZES:
        contestants += [
            _Work("pratai", _nodes(states(size)), states(size)).round,
            _Work("heap", Heap(states(size)), states(size)).round,
        ]
    samples = interleaved(contestants, rounds)
    yield Figure(
        "decisions",
        "scheduler decisions on one core",
        "decisions a second",
        samples,
        [
            *(ratio(named("pratai", size), named("heap", size)) for size in SIZES),
            ratio(named("pratai", SIZES[-1]), named("pratai", SIZES[0])),
        ],
        [
            f"each value is of {_DECISIONS:,} decisions; all were replayed: none beyond capacity",
            "target: flat, at least 20,000 a second",
        ],
    )


def named(name: str, size: int) -> str:
    """Return the name of a value with so many nodes."""
    return f"{name}, {size:,} nodes"


def _nodes(known: Sequence[NodeState]) -> Nodes:
    table = Nodes(lease_ms=10_000, adopt_ms=5_000)
    for state in known:
        table.saw(state, _NOW)
    return table


class _Work:
    """Nodes of which half of the slots are taken, and what was decided so far."""

    def __init__(self, name: str, table: Table, known: Sequence[NodeState]) -> None:
        self._name = named(name, len(known))
        self._table = table
        self._running: list[tuple[str, Attempted]] = []
        self._replay = Replay((state.node for state in known), SLOTS, MEMORY)
        self._random = random.Random(len(known))
        self._numbers = count()
        for job in self._jobs(len(known) * SLOTS // 2):
            node = table.place(job, _FUNCTION, JOB_MEMORY, _NOW)
            assert node is not None
            self._running.append((node.state.node, job))
            self._replay.take(job, node.state.node, JOB_MEMORY)

    def round(self) -> Values:
        """Decide, then replay it."""
        jobs = self._jobs(_DECISIONS)
        taken = len(self._running)
        which = [self._random.randrange(taken + 1) for _ in jobs]
        given: list[str] = []
        ended: list[Attempted] = []
        began = time.perf_counter()
        self._decide(jobs, which, given, ended)
        seconds = time.perf_counter() - began
        for job, node, end in zip(jobs, given, ended, strict=True):
            self._replay.take(job, node, JOB_MEMORY)
            self._replay.give(end)
        assert len(ended) == _DECISIONS
        assert len(self._running) == taken
        return {self._name: _DECISIONS / seconds}

    def _decide(
        self,
        jobs: Sequence[Attempted],
        which: Sequence[int],
        given: list[str],
        ended: list[Attempted],
    ) -> None:
        table, running = self._table, self._running
        for job, index in zip(jobs, which, strict=True):
            node = table.place(job, _FUNCTION, JOB_MEMORY, _NOW)
            assert node is not None
            name = node.state.node
            given.append(name)
            running.append((name, job))
            running[index], running[-1] = running[-1], running[index]
            name, end = running.pop()
            table.done(name, INSTANCE, end)
            ended.append(end)

    def _jobs(self, number: int) -> list[Attempted]:
        return [(f"request-{next(self._numbers)}", 1) for _ in range(number)]


class _Part(NamedTuple):
    function_id: str
    memory: int


class _HeapNode:
    def __init__(self, state: NodeState) -> None:
        self.state = state
        self.open_slots = state.slots
        self.free_memory = state.memory
        self.parts: dict[Attempted, _Part] = {}
        self.entry = 0


class Heap:
    """The simplest fast choice: a heap by open slots, whose outdated entries are passed over."""

    def __init__(self, known: Sequence[NodeState]) -> None:
        self._nodes = {state.node: _HeapNode(state) for state in known}
        self._heap: list[tuple[int, int, _HeapNode]] = []
        self._entries = count(1)
        self._runs: Counter[str] = Counter()
        for node in self._nodes.values():
            self._push(node)

    def place(self, job: Attempted, function_id: str, memory: int, now: int) -> _HeapNode | None:
        """Give a job to the node with most open slots that has the memory."""
        aside: list[_HeapNode] = []
        chosen = None
        while chosen is None and self._heap:
            _, entry, node = heapq.heappop(self._heap)
            if entry == node.entry:
                if node.open_slots and node.free_memory >= memory:
                    chosen = node
                else:
                    aside.append(node)
        for node in aside:
            self._push(node)
        if chosen is not None:
            chosen.parts[job] = _Part(function_id, memory)
            chosen.open_slots -= 1
            chosen.free_memory -= memory
            self._runs[function_id] += 1
            self._push(chosen)
        return chosen

    def done(self, name: str, instance: str, job: Attempted) -> str:
        """Give back what a job took."""
        node = self._nodes.get(name)
        if node is None or node.state.instance != instance:
            return ""
        part = node.parts.pop(job, None)
        if part is None:
            return ""
        node.open_slots += 1
        node.free_memory += part.memory
        self._runs[part.function_id] -= 1
        self._push(node)
        return part.function_id

    def _push(self, node: _HeapNode) -> None:
        node.entry = next(self._entries)
        heapq.heappush(self._heap, (-node.open_slots, node.entry, node))
