"""One request's time on the control path alone: the engine does nothing, everything else is on.

Synchronous: one call, from a client whose connection stays open to the function's answer. The
baselines are the least that such a call needs: the same HTTP server echoing, and as many bare
processes as a call goes through passing the same message on.

Asynchronous: until the 202, and until a client has read the stored result. The baseline is the same
HTTP server writing such a record durably, and for the second its result too, and nothing else.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import baselines
from benchmarks.client import Client
from benchmarks.common import Figure, Values, interleaved, milliseconds, ratio
from pratai_common.clock import now_ms
from pratai_common.messages import Submitted, encode
from pratai_common.records import Body, Request
from tests.packages import ECHO
from tests.stack import Stack

_CALLS = 50
"""A value is the mean time of so many calls, one after another."""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, baselines.server(Path(folder)) as bare:
        stack = Stack(Path(folder), {"driver": {"engine": "null"}}).start()
        try:
            with Client(stack.url) as ours, Client(bare) as theirs:
                yield _synchronous(stack, ours, theirs, rounds)
                yield _asynchronous(stack, ours, theirs, rounds)
        finally:
            stack.stop()


def _synchronous(stack: Stack, ours: Client, theirs: Client, rounds: int) -> Figure:
    path = f"/v1/functions/{stack.function(ECHO, type='wait_for_response')}"

    def pratai() -> Values:
        expected: dict[str, object] = {}

        def call(number: int) -> None:
            expected[str(ours.called(path, number))] = number

        took = _mean(call)
        assert len(expected) == _CALLS
        ours.read_back("/v1/requests", expected)
        return {"pratai": took}

    def echo() -> Values:
        return {"echo server": _mean(lambda number: theirs.called("/echo", number))}

    with baselines.round_trip() as hops:
        message = _message()
        samples = interleaved(
            [pratai, echo, lambda: {"bare ZeroMQ hops": _mean(lambda _: hops(message))}], rounds
        )
    return Figure(
        "sync-time",
        "one synchronous call, control path alone",
        "ms",
        samples,
        [ratio("pratai", "echo server"), ratio("pratai", "echo server", "bare ZeroMQ hops")],
        [f"each value is the mean of {_CALLS} calls; all were read back from the store"],
    )


def _asynchronous(stack: Stack, ours: Client, theirs: Client, rounds: int) -> Figure:
    path = f"/v1/functions/{stack.function(ECHO)}"

    def accepted(client: Client, path: str) -> tuple[float, dict[str, object]]:
        expected: dict[str, object] = {}

        def send(number: int) -> None:
            expected[client.accepted(path, number)] = number

        took = _mean(send)
        assert len(expected) == _CALLS
        return took, expected

    def pratai() -> Values:
        took, expected = accepted(ours, path)
        ours.read_back("/v1/requests", expected)
        return {"pratai, accepted": took}

    def durable() -> Values:
        took, expected = accepted(theirs, "/accept")
        theirs.read_inputs("/requests", expected)
        return {"durable record, accepted": took}

    def stored(client: Client, name: str, path: str, requests: str) -> Values:
        def send(number: int) -> None:
            client.ended(f"{requests}/{client.accepted(path, number)}", number)

        return {name: _mean(send)}

    samples = interleaved(
        [
            pratai,
            durable,
            lambda: stored(ours, "pratai, stored", path, "/v1/requests"),
            lambda: stored(theirs, "durable record, stored", "/run", "/requests"),
        ],
        rounds,
    )
    return Figure(
        "async-time",
        "one asynchronous request, control path alone",
        "ms",
        samples,
        [
            ratio("pratai, accepted", "durable record, accepted"),
            ratio("pratai, stored", "durable record, stored"),
        ],
        [f"each value is the mean of {_CALLS} requests; all were read back from the store"],
    )


def _mean(call: Callable[[int], object]) -> float:
    """Return the mean time of calls, each with a number of its own."""

    def all_calls() -> None:
        for number in range(_CALLS):
            call(number)

    return milliseconds(all_calls) / _CALLS


def _message() -> bytes:
    """Return a message like that of a synchronous call."""
    now, identity = now_ms(), "9d8e7c40-7acd-fd3a-c353-7f82c24b7610"
    request = Request(
        request_id=identity,
        function_id=identity,
        project_id="default",
        user_id="default",
        source="http",
        created_at=now,
        expires_at=now,
        next_run_at=now,
    )
    body = Body(sha256="0" * 64, size=1, content=b"1")
    return encode(Submitted(request=request, input=body, recorded=False))
