"""The time of a list of 100 requests among 1,000,000, beside the same list among 1,000.

Asked of the API, with each filter that a list takes, from the newest on and from deep within it.
The requests are written through the store's own interface, all of them final, and of few functions,
statuses and sources, spread evenly. The two installations take turns; every list is checked.
"""

import random
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks.client import Client
from benchmarks.common import Figure, Values, interleaved, milliseconds, ratio
from benchmarks.stores import STORES, Settings
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.clock import now_ms
from pratai_common.records import Request, Status
from pratai_common.store.base import NewRequest, Store, open_store
from tests.stack import Stack

_SIZES = (1_000, 1_000_000)
_LIMIT = 100
_TARGET = 3
_LISTS = 10
"""A value is the mean time of so many lists, one after another."""

_BATCH = 1000
_FUNCTIONS = [str(uuid.UUID(int=number)) for number in range(2)]
_STATUSES = (Status.SUCCESS, Status.ERROR)
_SOURCES = ("http", "timer")
_Query = Mapping[str, str]


class _Asked(NamedTuple):
    name: str
    query: _Query
    deep: bool


_QUERIES = [
    _Asked(name, query, deep)
    for deep in (False, True)
    for name, query in {
        "all": {},
        "oldest first": {"sort": "created_at:asc"},
        "of a function": {"function_id": _FUNCTIONS[1]},
        "of a status": {"status": "error"},
        "of a source": {"source": "timer"},
        "dead": {"dead": "true"},
        "of a function and a status": {"function_id": _FUNCTIONS[1], "status": "success"},
    }.items()
]


class _Installation(NamedTuple):
    requests: int
    client: Client
    middle: str
    """A request with as many before it as behind."""


def figures(store: str, rounds: int) -> Iterator[Figure]:
    """Measure with a store."""
    with STORES[store]() as settings_of, ExitStack() as stack:
        installations = [_installation(stack, size, settings_of(f"list{size}")) for size in _SIZES]
        yield _figure(store, installations, rounds)


def _figure(store: str, installations: list[_Installation], rounds: int) -> Figure:
    samples = interleaved(
        [partial(_lists, each, asked) for asked in _QUERIES for each in installations], rounds
    )
    few, many = _SIZES
    return Figure(
        f"listing-{store}",
        f"a list of {_LIMIT} requests, store {store}",
        "ms",
        samples,
        [ratio(_named(asked, many), _named(asked, few)) for asked in _QUERIES],
        [
            f"the target is at most {_TARGET}",
            f"each value is the mean of {_LISTS} lists; every one was checked",
        ],
    )


def _lists(of: _Installation, asked: _Asked) -> Values:
    query = {"limit": str(_LIMIT), **asked.query}
    if asked.deep:
        query["marker"] = of.middle
    path = f"/v1/requests?{urlencode(query)}"
    taken = milliseconds(lambda: [_list(of, path, asked.query) for _ in range(_LISTS)])
    return {_named(asked, of.requests): taken / _LISTS}


def _list(of: _Installation, path: str, query: _Query) -> None:
    found = of.client.get(path)["requests"]
    assert len(found) == _LIMIT, f"{path}: {len(found)}"
    times = [each["created_at"] for each in found]
    assert times == sorted(times, reverse="sort" not in query), path
    for name in ("function_id", "status", "source"):
        assert {each[name] for each in found} <= {query.get(name, each[name]) for each in found}


def _named(asked: _Asked, size: int) -> str:
    return f"{asked.name}{', deep' if asked.deep else ''}, among {size:,}"


def _installation(stack: ExitStack, size: int, settings: Settings) -> _Installation:
    """Start an installation and fill its store."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    running = Stack(Path(folder), {"driver": {"engine": "null"}, **settings}).start()
    stack.callback(running.stop)
    conf = configuration.load("benchmark", running.arguments)
    with closing(open_store(conf)) as store:
        middle = _fill(store, size)
    return _Installation(size, stack.enter_context(Client(running.url)), middle)


def _fill(store: Store, size: int) -> str:
    """Write so many requests, a millisecond apart; returns the id of the one in the middle."""
    began = now_ms() - size
    chosen = random.Random(size)
    middle = ""
    for start in range(0, size, _BATCH):
        requests = [_request(began + start + number, chosen) for number in range(_BATCH)]
        store.create_requests([NewRequest(each, None) for each in requests])
        if start <= size // 2 < start + _BATCH:
            middle = requests[size // 2 - start].request_id
    return middle


def _request(at: int, chosen: random.Random) -> Request:
    status = chosen.choice(_STATUSES)
    return Request(
        request_id=str(uuid.UUID(int=chosen.getrandbits(128))),
        function_id=chosen.choice(_FUNCTIONS),
        project_id="default",
        user_id="default",
        source=chosen.choice(_SOURCES),
        status=status,
        reason="exception" if status is Status.ERROR else None,
        dead=status is Status.ERROR,
        version=1,
        created_at=at,
        started_at=at,
        finished_at=at,
        expires_at=at + limits.ASYNC_LIFETIME_MS,
        next_run_at=at,
    )
