"""Placement on 10,000 simulated nodes: who finds a spare, how evenly nodes are used, who waits.

A trace of 100,000 functions, whose popularity follows Zipf's law, with bursts of one function each,
is given to nodes by the scheduler's own table (``Nodes.place`` and ``Nodes.done``, with what nodes
say of themselves in between), by a random choice, and by taking turns. All see the same trace, from
the same seed, and know which nodes have room; the baselines know nothing else, and cost next to
nothing for it. What finds no room waits in the order in which it came.

The nodes are rules and not containers: one has a function's files from its first event on, makes a
spare of it while an event runs, and keeps the spares that were used last, a few, for a while. A
start takes what is assumed here: with a spare, with files, without. So shares and waits compare
ways to place, and are no forecast for an installation.
"""

import heapq
import random
import statistics
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, count
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from benchmarks.common import Figure, Values, interleaved, ratio
from benchmarks.simulated import INSTANCE, JOB_MEMORY, SLOTS, states
from pratai_common.messages import NodeState
from pratai_scheduler.nodes import Nodes

_NODES = 10_000
_FUNCTIONS = 100_000
_ZIPF = 1.1
_EVENTS = 60_000
_A_SECOND = 5_000.0
_BURSTS = 20
_BURST_EVENTS = 500
_RUN_SECONDS = 1.0
_SEED = 20

_SPARES = 8
"""On a node at a time."""

_SPARE_SECONDS = 30.0
_REFILL_SECONDS = 0.3
_WARM, _FILES, _COLD = 0.005, 0.3, 2.0
"""Seconds of a start: with a spare, with the files, and without, as an image is fetched then."""

_BEAT_SECONDS = 1.0
_MS = 1000
_VERSION = 1


class Event(NamedTuple):
    """Something that happens, and how long its run takes."""

    at: float
    function_id: str
    seconds: float


class Table(Protocol):
    """What chooses nodes by their names."""

    def place(self, number: int, function_id: str) -> str | None:
        """Give an event to a node with room; ``None`` where none has any."""

    def done(self, number: int, node: str) -> None:
        """Take back what an event had."""

    def said(self, node: str, spares: Mapping[str, int]) -> None:
        """Take in which spares a node has."""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    trace = events()
    contestants = [
        _contestant("pratai", trace, Pratai),
        _contestant("random", trace, Random),
        _contestant("turns", trace, Turns),
    ]
    samples = interleaved(contestants, rounds)
    distinct = len({event.function_id for event in trace})
    remarks = [
        f"{len(trace):,} events in {trace[-1].at:.0f} s, {_BURSTS} bursts of {_BURST_EVENTS}",
        f"{_FUNCTIONS:,} functions (Zipf, {_ZIPF}), of which {distinct:,} come up",
        f"{_NODES:,} nodes of {SLOTS} slots",
    ]
    for name, title, unit in _FIGURES:
        chosen = {each: samples[f"{each}, {name}"] for each in ("pratai", "random", "turns")}
        ratios = [ratio("pratai", "random"), ratio("pratai", "turns")]
        yield Figure(f"placement-{name}", title, unit, chosen, ratios, remarks)


_FIGURES = (
    ("warm", "events that find a spare", "percent"),
    ("files", "events that find a spare, or the files", "percent"),
    ("wait", "from an event to its run, the mean", "milliseconds"),
    ("longest", "from an event to its run, the 99th percentile", "milliseconds"),
    ("load", "events of the node that has most, over the mean", "times"),
    ("decisions", "decisions on one core, by processor time", "decisions a second"),
)


def events() -> list[Event]:
    """Return the trace."""
    chance = random.Random(_SEED)
    weights = list(accumulate(1 / (rank + 1) ** _ZIPF for rank in range(_FUNCTIONS)))
    chosen = chance.choices(range(_FUNCTIONS), cum_weights=weights, k=_EVENTS)
    now, trace = 0.0, []
    for number in chosen:
        now += chance.expovariate(_A_SECOND)
        trace.append(_event(chance, now, number))
    for _ in range(_BURSTS):
        at, number = chance.uniform(0, now), chance.randrange(_FUNCTIONS)
        trace += [_event(chance, at + each / 1e5, number) for each in range(_BURST_EVENTS)]
    return sorted(trace)


def _event(chance: random.Random, at: float, number: int) -> Event:
    return Event(at, f"function-{number}", chance.expovariate(1 / _RUN_SECONDS))


def _contestant(
    name: str, trace: Sequence[Event], table: Callable[[Sequence[NodeState]], Table]
) -> Callable[[], Values]:
    def measured() -> Values:
        found = Simulation(table(states(_NODES))).run(trace)
        return {f"{name}, {each}": value for each, value in found.items()}

    return measured


class Machine:
    """A node as far as it matters here: files, and spares by when they are ready."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._spares: OrderedDict[str, float] = OrderedDict()

    def start(self, function_id: str, now: float) -> float:
        """Begin to run an event; returns how long its start takes."""
        ready_at = self._spares.pop(function_id, None)
        warm = ready_at is not None and ready_at <= now <= ready_at + _SPARE_SECONDS
        seconds = _WARM if warm else _FILES if function_id in self._files else _COLD
        self._files.add(function_id)
        self._spares[function_id] = now + seconds + _REFILL_SECONDS
        if len(self._spares) > _SPARES:
            self._spares.popitem(last=False)
        return seconds

    def spares(self, now: float) -> dict[str, int]:
        """Return what waits for an event."""
        return {
            function_id: 1
            for function_id, ready_at in self._spares.items()
            if ready_at <= now <= ready_at + _SPARE_SECONDS
        }


class Simulation:
    """Runs a trace on nodes of its own, and counts."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._machines = {f"node-{number}": Machine() for number in range(_NODES)}
        self._ends: list[tuple[float, int, str]] = []
        self._waiting: deque[tuple[int, Event]] = deque()
        self._starts: list[float] = []
        self._waits: list[float] = []
        self._given: Counter[str] = Counter()
        self._deciding = 0.0
        self._beat_at = _BEAT_SECONDS

    def run(self, trace: Sequence[Event]) -> Values:
        """Let all of it happen; returns what was counted."""
        for number, event in enumerate(trace):
            self._pass_time(event.at)
            if self._waiting or not self._give(number, event, event.at):
                self._waiting.append((number, event))
        self._pass_time(float("inf"))
        assert len(self._starts) == len(trace)
        assert not self._waiting
        warm, files = self._starts.count(_WARM), self._starts.count(_FILES)
        return {
            "warm": 100 * warm / len(trace),
            "files": 100 * (warm + files) / len(trace),
            "wait": _MS * statistics.mean(self._waits),
            "longest": _MS * statistics.quantiles(self._waits, n=100)[98],
            "load": max(self._given.values()) / (len(trace) / _NODES),
            "decisions": len(trace) / self._deciding,
        }

    def _pass_time(self, until: float) -> None:
        """End what has ended by then, and have nodes speak once a second."""
        while self._ends and self._ends[0][0] <= until:
            at, number, node = heapq.heappop(self._ends)
            self._beat(at)
            began = time.process_time()
            self._table.done(number, node)
            self._deciding += time.process_time() - began
            while self._waiting and self._give(*self._waiting[0], at):
                self._waiting.popleft()
        if until != float("inf"):
            self._beat(until)

    def _give(self, number: int, event: Event, now: float) -> bool:
        began = time.process_time()
        node = self._table.place(number, event.function_id)
        self._deciding += time.process_time() - began
        if node is None:
            return False
        seconds = self._machines[node].start(event.function_id, now)
        self._starts.append(seconds)
        self._waits.append(now + seconds - event.at)
        self._given[node] += 1
        heapq.heappush(self._ends, (now + seconds + event.seconds, number, node))
        return True

    def _beat(self, now: float) -> None:
        while self._beat_at <= now:
            for node in self._given:
                self._table.said(node, self._machines[node].spares(self._beat_at))
            self._beat_at += _BEAT_SECONDS


class Pratai:
    """The scheduler's own table."""

    def __init__(self, known: Sequence[NodeState]) -> None:
        self._states = {state.node: state for state in known}
        self._nodes = Nodes(lease_ms=10_000, adopt_ms=5_000)
        for state in known:
            self._nodes.saw(state, 0)

    def place(self, number: int, function_id: str) -> str | None:
        """See Table."""
        code = (function_id, _VERSION)
        node = self._nodes.place((f"r{number}", 1), function_id, JOB_MEMORY, 0, code)
        return None if node is None else node.state.node

    def done(self, number: int, node: str) -> None:
        """See Table."""
        self._nodes.done(node, INSTANCE, (f"r{number}", 1))

    def said(self, node: str, spares: Mapping[str, int]) -> None:
        """See Table."""
        there = self._nodes.get(node)
        assert there is not None
        says = replace(
            self._states[node],
            running=tuple((*job, each.function_id) for job, each in there.reserved.items()),
            spares=tuple((function_id, _VERSION, each) for function_id, each in spares.items()),
        )
        self._nodes.saw(says, 0)


class _Room:
    """What the baselines know: how many slots each node has open."""

    def __init__(self, known: Sequence[NodeState]) -> None:
        self._names = [state.node for state in known]
        self._open = {state.node: state.slots for state in known}
        self._all = sum(self._open.values())

    def done(self, number: int, node: str) -> None:
        """See Table."""
        self._open[node] += 1
        self._all += 1

    def said(self, node: str, spares: Mapping[str, int]) -> None:
        """See Table: it does not matter here."""

    def _take(self, names: Iterator[str]) -> str | None:
        """Take a slot of the first of these that has one."""
        if not self._all:
            return None
        name = next(name for name in names if self._open[name])
        self._open[name] -= 1
        self._all -= 1
        return name


class Random(_Room):
    """Any node with room."""

    def __init__(self, known: Sequence[NodeState]) -> None:
        super().__init__(known)
        self._random = random.Random(_SEED)

    def place(self, number: int, function_id: str) -> str | None:
        """See Table."""
        return self._take(iter(lambda: self._random.choice(self._names), ""))


class Turns(_Room):
    """Each node with room in its turn."""

    def __init__(self, known: Sequence[NodeState]) -> None:
        super().__init__(known)
        self._turns = (self._names[each % len(self._names)] for each in count())

    def place(self, number: int, function_id: str) -> str | None:
        """See Table."""
        return self._take(self._turns)
