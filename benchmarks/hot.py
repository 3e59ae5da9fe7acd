"""Hot: synchronous calls of a function that has run before, against a plain chain of our shape.

Both answer the same clients (``flood``): the chain (``chain.py``) passes calls on and does nothing
else; ours knows who calls, checks what came, lets it in, keeps to limits, runs it in a container of
the tier ``shared``, and records it behind its answer. Every call is read back from the store. The
tier ``process`` is compared with ``shared``, with one client.

Where ours takes its time is told by its records (``request-show --timing``). So is how long an
asynchronous event takes from its acceptance to its start in a container that waits for it.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgspec

from benchmarks import baselines
from benchmarks.client import Client, wait
from benchmarks.common import Contestant, Figure, Values, interleaved, ratio, said
from benchmarks.flood import Flooded
from tests.packages import ECHO
from tests.stack import FINAL, Stack

_CALLS = {1: 300, 8: 800}
"""So many are a value, by clients."""

_SLOTS = 8
_TARGET_TIME, _TARGET_RATE, _TARGET_FORKED, _TARGET_START_MS = 1.4, 0.7, 2.5, 5
_EVENTS = 30
_LOOK_SECONDS = 0.02
_OURS, _PLAIN, _FORKED = "pratai", "plain chain", "process"
_WAITS = {"type": "wait_for_response"}
_STATIONS = ("accepted", "dispatched", "taken", "started", "ended", "settled")


class _Measured:
    """What was measured of one contestant: each call's time, and our stations' by their names."""

    def __init__(self, url: str, path: str) -> None:
        self._url = url
        self._path = path
        self.times: dict[int, list[float]] = {clients: [] for clients in _CALLS}

    def flood(self, clients: int) -> Flooded:
        """Let clients call; keeps how long each call took."""
        calls = (str(clients), str(_CALLS[clients]), "200")
        text = said(sys.executable, "-m", "benchmarks.flood", self._url, self._path, *calls)
        done = msgspec.json.decode(text, type=Flooded)
        self.times[clients] += done.times
        return done


class _Ours(_Measured):
    """Ours, which is read back."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(url, path)
        self.stations: dict[str, list[float]] = {}

    def flood(self, clients: int) -> Flooded:
        """Let clients call, and read what is recorded of that."""
        done = super().flood(clients)
        expected: dict[str, object] = {
            request_id: number for number, request_id in enumerate(done.ids) if request_id
        }
        assert len(expected) == _CALLS[clients]
        with Client(self._url) as client:
            client.read_back("/v1/requests", expected)
            if clients == 1:
                self._note([client.get(f"/v1/requests/{each}") for each in expected])
        return done

    def _note(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Note the medians of the way from each station to the next."""
        for earlier, later in pairwise(_STATIONS):
            took = [each["timing"][later] - each["timing"][earlier] for each in requests]
            self.stations.setdefault(f"{earlier} to {later}", []).append(median(took))


def figures(rounds: int, engine: str = "docker") -> Iterator[Figure]:
    """Measure."""
    with ExitStack() as exits:
        folders = [Path(exits.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        plain = exits.enter_context(baselines.chain(folders[0]))
        stack = Stack(folders[1], {"driver": {"engine": engine, "slots": _SLOTS}}).start()
        exits.callback(stack.stop)
        ours, forked = (
            _Ours(stack.url, f"/v1/functions/{stack.function(ECHO, isolation=tier, **_WAITS)}")
            for tier in ("shared", "process")
        )
        yield from _figures(ours, _Measured(plain, "/call"), forked, rounds)
        behind = f"/v1/functions/{stack.function(ECHO, isolation='shared')}"
        with Client(stack.url) as client:
            yield _asynchronous(client, behind, rounds)


def _figures(ours: _Ours, plain: _Measured, forked: _Ours, rounds: int) -> Iterator[Figure]:
    measured = {_OURS: ours, _PLAIN: plain}
    alone = {**measured, _FORKED: forked}
    contestants: list[Contestant] = [
        *(partial(_alone, name, each) for name, each in alone.items()),
        *(partial(_together, name, each) for name, each in measured.items()),
    ]
    samples = interleaved(contestants, rounds)
    names = [f"{name}, {what}" for what in ("median", "p99") for name in alone]
    yield Figure(
        "hot-time",
        "a hot synchronous call, one client",
        "ms",
        {name: samples[name] for name in names},
        [
            ratio(f"{one}, {what}", f"{other}, {what}")
            for one, other in ((_OURS, _PLAIN), (_FORKED, _OURS))
            for what in ("median", "p99")
        ],
        [
            f"the targets of the medians are {_TARGET_TIME} and {_TARGET_FORKED}",
            f"each value is of {_CALLS[1]} calls; all of ours were read back from the store",
        ],
        {name: each.times[1] for name, each in alone.items()},
    )
    yield Figure(
        "hot-rate",
        "hot synchronous calls a second, 8 clients",
        "calls a second",
        {name: samples[f"{name}, 8 clients"] for name in measured},
        [ratio(_OURS, _PLAIN)],
        [
            f"the target is {_TARGET_RATE}",
            f"each value is of {_CALLS[8]} calls; all of ours were read back from the store",
        ],
        {name: each.times[8] for name, each in measured.items()},
    )
    yield Figure(
        "hot-stations",
        "where a hot synchronous call is, one client",
        "ms",
        ours.stations,
        remarks=["each value is the median of a round; the way to the API and back is not in it"],
    )


def _asynchronous(client: Client, path: str, rounds: int) -> Figure:
    return Figure(
        "async-start",
        "an asynchronous event, from its acceptance to its start in a container that waits",
        "ms",
        interleaved([partial(_started, client, path)], rounds),
        remarks=[
            f"the target is {_TARGET_START_MS}; the write of its record is in it",
            f"each value is the median of {_EVENTS} events, one after another, all read back",
        ],
    )


def _started(client: Client, path: str) -> Values:
    took = []
    for number in range(_EVENTS):
        one = f"/v1/requests/{client.accepted(path, number)}"
        wait(partial(_has_ended, client, one), f"{one} ends", _LOOK_SECONDS)
        client.ended(one, number)
        took.append(client.get(one)["timing"]["started"])
    return {"accepted to started": median(took)}


def _has_ended(client: Client, path: str) -> bool:
    return client.get(path)["status"] in FINAL


def _alone(name: str, measured: _Measured) -> Values:
    times = measured.flood(1).times
    return {f"{name}, median": median(times), f"{name}, p99": quantiles(times, n=100)[98]}


def _together(name: str, measured: _Measured) -> Values:
    return {f"{name}, 8 clients": _CALLS[8] / measured.flood(8).seconds}
