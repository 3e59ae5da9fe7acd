"""A pipeline of three functions: how long one's stored result takes to start the next one.

All daemons run, and only the engine does nothing. A hand-over lasts from the end of a request as
the collector stores it to the start of the next as the scheduler records it: two writes to disk
(the result, and what follows from it), and the search for who follows between them. It is compared
with a direct call: from the acceptance of an asynchronous request to its start, one write to disk.

Records tell whole milliseconds, so a value is a mean of many.
"""

import tempfile
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.client import Client, wait
from benchmarks.common import Figure, Values, interleaved
from benchmarks.stores import STORES
from pratai_common.submit import Cause, request_id
from tests.packages import ECHO
from tests.stack import FINAL, Stack

_PIPELINES = 20
_STEPS = 3
_SLOTS = 8
_PROJECT = "default"
_TARGET_MS = 10
_LOOK_SECONDS = 0.05
_HANDED_OVER, _DIRECT = "hand-over, result to start", "direct call, acceptance to start"


def figures(store: str, rounds: int) -> Iterator[Figure]:
    """Measure with a store."""
    with STORES[store]() as settings_of, tempfile.TemporaryDirectory() as folder:
        settings = {"driver": {"engine": "null", "slots": _SLOTS}, **settings_of("pipelines")}
        stack = Stack(Path(folder), settings).start()
        try:
            with Client(stack.url) as client:
                yield _figure(store, client, _pipeline(stack), stack.function(ECHO), rounds)
        finally:
            stack.stop()


def _pipeline(stack: Stack) -> list[str]:
    """Return functions of which each follows the one before it."""
    functions = [stack.function(ECHO) for _ in range(_STEPS)]
    for before, after in pairwise(functions):
        body = {"kind": "response", "event_id": before, "outcome": "success"}
        answer = stack.call("POST", f"/v1/functions/{after}/subscriptions", json=body)
        assert answer.status_code == 201, answer.text
    return functions


def _figure(store: str, client: Client, pipeline: list[str], alone: str, rounds: int) -> Figure:
    samples = interleaved(
        [partial(_handed_over, client, pipeline), partial(_called, client, alone)], rounds
    )
    figure = Figure(
        f"pipeline-{store}", f"one function's result starts another, store {store}", "ms", samples
    )
    beyond = figure.median(_HANDED_OVER) - figure.median(_DIRECT)
    return Figure(
        figure.name,
        figure.title,
        figure.unit,
        samples,
        remarks=[
            f"a hand-over takes {beyond:.2f} ms beyond a direct call; the target is {_TARGET_MS}"
            + ("" if store == "sqlite" else " with SQLite"),
            f"each value is the mean of {_PIPELINES} pipelines of {_STEPS}, or as many calls",
            "all were read back: results, parents and depths",
        ],
    )


def _handed_over(client: Client, pipeline: list[str]) -> Values:
    """Run pipelines, one after another."""
    took = []
    for number in range(_PIPELINES):
        ids = [client.accepted(f"/v1/functions/{pipeline[0]}", number)]
        for function in pipeline[1:]:
            ids.append(request_id(_PROJECT, function, Cause("response", ids[-1])))
        _await_end(client, ids[-1])
        steps = [_read(client, identity, number) for identity in ids]
        assert [step["depth"] for step in steps] == list(range(_STEPS)), steps
        for before, after in pairwise(steps):
            assert after["parent_id"] == before["request_id"], steps
            took.append(_between(before["finished_at"], after["started_at"]))
    return {_HANDED_OVER: mean(took)}


def _called(client: Client, function: str) -> Values:
    """Have one function run, as often as all of the pipelines do."""
    took = []
    for number in range(_PIPELINES * _STEPS):
        identity = client.accepted(f"/v1/functions/{function}", number)
        _await_end(client, identity)
        request = _read(client, identity, number)
        took.append(_between(request["created_at"], request["started_at"]))
    return {_DIRECT: mean(took)}


def _await_end(client: Client, identity: str) -> None:
    """Wait for the end of a request that may be recorded yet; looking takes time from the others,
    so it is not done often.
    """

    def look() -> bool:
        request = client.get(f"/v1/requests/{identity}")
        return request is not None and request["status"] in FINAL

    wait(look, f"{identity} ends", _LOOK_SECONDS)


def _read(client: Client, identity: str, number: int) -> Any:
    """Return a request that has ended, and that echoed."""
    request = client.get(f"/v1/requests/{identity}")
    assert (request["status"], request["result"]) == ("success", number), request
    return request


def _between(earlier: str, later: str) -> float:
    """Return the milliseconds from one time to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() * 1000
