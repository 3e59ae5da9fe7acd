"""Asynchronous requests accepted a second by 8 and 64 clients, each read back final later.

All daemons run, and work off what is accepted while more is: record, tokens, spool and result are
durable as ever, and only the engine does nothing. The baseline is the same gunicorn with the same
worker, threads and connections that stay open, and a Flask application that answers 202 and does
nothing else. The clients are one process that costs little (``flood``), the same for both.
"""

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import baselines
from benchmarks.client import Client
from benchmarks.common import Contestant, Figure, Values, interleaved, ratio, said
from benchmarks.flood import Flooded
from benchmarks.stores import STORES
from tests.packages import ECHO
from tests.stack import Stack

_REQUESTS = 1000
_SLOTS = 8
_TARGETS = {"sqlite": {8: 0.5, 64: 0.5}, "elasticsearch": {8: 0.12, 64: 0.25}}
"""Of what a bare Flask application does, at least; by store and clients."""


def figures(store: str, rounds: int) -> Iterator[Figure]:
    """Measure with a store."""
    with (
        STORES[store]() as settings_of,
        tempfile.TemporaryDirectory() as folder,
        baselines.server(Path(folder)) as bare,
    ):
        settings = {"driver": {"engine": "null", "slots": _SLOTS}, **settings_of("acceptance")}
        stack = Stack(Path(folder), settings).start()
        try:
            yield _figure(store, stack, bare, rounds)
        finally:
            stack.stop()


def _figure(store: str, stack: Stack, bare: str, rounds: int) -> Figure:
    path = f"/v1/functions/{stack.function(ECHO)}"
    targets = _TARGETS[store]

    def pratai(clients: int) -> Values:
        done = _flood(stack.url, path, clients)
        expected: dict[str, object] = {
            request_id: number for number, request_id in enumerate(done.ids) if request_id
        }
        assert len(expected) == _REQUESTS
        with Client(stack.url) as client:
            client.read_back("/v1/requests", expected)
        return {_named("pratai", clients): _REQUESTS / done.seconds}

    def bare_flask(clients: int) -> Values:
        done = _flood(bare, "/nothing", clients)
        return {_named("bare Flask", clients): _REQUESTS / done.seconds}

    contestants: list[Contestant] = []
    for clients in targets:
        contestants += [partial(pratai, clients), partial(bare_flask, clients)]
    return Figure(
        f"acceptance-{store}",
        f"asynchronous requests accepted a second, store {store}",
        "requests a second",
        interleaved(contestants, rounds),
        [ratio(_named("pratai", each), _named("bare Flask", each)) for each in targets],
        [
            *(f"the target with {each} clients is {least}" for each, least in targets.items()),
            f"each value is of {_REQUESTS} requests; all of ours were read back, final",
        ],
    )


def _flood(url: str, path: str, clients: int) -> Flooded:
    text = said(sys.executable, "-m", "benchmarks.flood", url, path, str(clients), str(_REQUESTS))
    return msgspec.json.decode(text, type=Flooded)


def _named(name: str, clients: int) -> str:
    return f"{name}, {clients} clients"
