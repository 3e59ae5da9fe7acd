"""Requests a second through the whole control path, with 1, 8 and 32 clients.

The engine does nothing; record, spool and result are written durably. The baselines are those of
``request_time``: the same HTTP server echoing, or writing the record and its result durably.
"""

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import baselines
from benchmarks.client import Client, wait
from benchmarks.common import Contestant, Figure, Values, interleaved, ratio
from tests.packages import ECHO
from tests.stack import Stack

_REQUESTS = 256
_CLIENTS = (1, 8, 32)
_SLOTS = 8
_LOOK_SECONDS = 0.01
Send = Callable[[Client, int], str | None]
"""Sends a number; returns the id by which it can be read back, where there is one."""


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    settings = {"driver": {"engine": "null", "slots": _SLOTS}}
    with tempfile.TemporaryDirectory() as folder, baselines.server(Path(folder)) as bare:
        stack = Stack(Path(folder), settings).start()
        try:
            yield _synchronous(stack, bare, rounds)
            yield _asynchronous(stack, bare, rounds)
        finally:
            stack.stop()


def _synchronous(stack: Stack, bare: str, rounds: int) -> Figure:
    path = f"/v1/functions/{stack.function(ECHO, type='wait_for_response')}"

    def pratai(clients: int) -> Values:
        seconds, expected = _flood(stack.url, clients, lambda client, n: client.called(path, n))
        assert len(expected) == _REQUESTS
        with Client(stack.url) as client:
            client.read_back("/v1/requests", expected)
        return {_named("pratai", clients): _REQUESTS / seconds}

    def echo(clients: int) -> Values:
        seconds, _ = _flood(bare, clients, lambda client, n: client.called("/echo", n))
        return {_named("echo server", clients): _REQUESTS / seconds}

    contestants: list[Contestant] = []
    for clients in _CLIENTS:
        contestants += [partial(pratai, clients), partial(echo, clients)]
    return Figure(
        "sync-rate",
        "synchronous calls a second",
        "calls a second",
        interleaved(contestants, rounds),
        [ratio(_named("pratai", each), _named("echo server", each)) for each in _CLIENTS],
        [_remark()],
    )


def _asynchronous(stack: Stack, bare: str, rounds: int) -> Figure:
    path = f"/v1/functions/{stack.function(ECHO)}"

    def pratai(clients: int) -> Values:
        return _accepted_and_stored("pratai", stack.url, clients, path, "/v1/requests", _unsettled)

    def durable(clients: int) -> Values:
        values = _accepted_and_stored(
            "durable record", bare, clients, "/run", "/requests", _unfinished
        )
        seconds, expected = _flood(bare, clients, lambda client, n: client.accepted("/accept", n))
        with Client(bare) as client:
            client.read_inputs("/requests", expected)
        assert len(expected) == _REQUESTS
        # Accepting is all that was done here; what was stored is of the flood before.
        return {**values, _named("durable record, accepted", clients): _REQUESTS / seconds}

    contestants: list[Contestant] = []
    for clients in _CLIENTS:
        contestants += [partial(pratai, clients), partial(durable, clients)]
    return Figure(
        "async-rate",
        "asynchronous requests a second",
        "requests a second",
        interleaved(contestants, rounds),
        [
            ratio(_named(f"pratai, {what}", each), _named(f"durable record, {what}", each))
            for each in _CLIENTS
            for what in ("accepted", "stored")
        ],
        [_remark()],
    )


def _unsettled(client: Client) -> bool:
    """Say whether the platform has anything left to do: looked at twice, for a request that is
    repeated goes back.
    """
    statuses = ("queued", "running", "queued")
    lists = (client.get(f"/v1/requests?limit=1&status={each}") for each in statuses)
    return any(each["requests"] for each in lists)


def _unfinished(client: Client) -> bool:
    return bool(client.get("/unfinished")[0])


def _accepted_and_stored(
    name: str,
    url: str,
    clients: int,
    path: str,
    requests: str,
    unfinished: Callable[[Client], bool],
) -> dict[str, float]:
    """Measure how fast requests are accepted, and until when the last of them is stored."""
    began = time.perf_counter()
    accepted, expected = _flood(url, clients, lambda client, n: client.accepted(path, n))
    with Client(url) as client:
        wait(lambda: not unfinished(client), "all requests have ended", _LOOK_SECONDS)
        stored = time.perf_counter() - began
        assert len(expected) == _REQUESTS
        client.read_back(requests, expected)
    return {
        _named(f"{name}, accepted", clients): _REQUESTS / accepted,
        _named(f"{name}, stored", clients): _REQUESTS / stored,
    }


def _flood(url: str, clients: int, send: Send) -> tuple[float, dict[str, object]]:
    """Send all numbers; returns the seconds it took, and the number of each id."""
    expected: dict[str, object] = {}
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    failures: list[BaseException] = []
    for number in range(_REQUESTS):
        numbers.put(number)

    def work() -> None:
        try:
            with Client(url) as client:
                _send_all(client, numbers, send, expected)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures:
        raise failures[0]
    return seconds, expected


def _send_all(
    client: Client, numbers: "queue.SimpleQueue[int]", send: Send, expected: dict[str, object]
) -> None:
    while True:
        try:
            number = numbers.get_nowait()
        except queue.Empty:
            return
        request_id = send(client, number)
        if request_id is not None:
            expected[request_id] = number


def _named(name: str, clients: int) -> str:
    return f"{name}, {clients} {'client' if clients == 1 else 'clients'}"


def _remark() -> str:
    return f"each value is of {_REQUESTS} requests; all were read back from the store"
