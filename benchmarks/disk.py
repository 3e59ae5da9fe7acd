"""How much disk a request takes that has ended: what an operator multiplies by what users do.

Requests are written through the store's own interface, as a run of the platform leaves them: one
attempt, its times, what came in and what came out. Text is random hexadecimal digits, which hardly
compress to less than half; that of users most often does. Of Elasticsearch the primary shards are
counted after their segments were merged, without the log of what was written last.
"""

import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import requests

from benchmarks.common import Figure, Values, interleaved
from benchmarks.stores import STORES, Settings
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.clock import now_ms
from pratai_common.records import Attempt, Body, LogChunk, Request, Status, Timing
from pratai_common.store.base import NewRequest, Store, open_store

_REQUESTS = 5_000
_BATCH = 500
_names = (f"disk{number}" for number in count())


class _Kind(NamedTuple):
    """Bytes of what came in, of what came out, and of what was printed."""

    name: str
    payload: int
    result: int
    log: int


_KINDS = [
    _Kind("100 bytes in, 100 out", 100, 100, 0),
    _Kind("the same, 1 KiB printed", 100, 100, 1024),
    _Kind("8 KiB in, 8 KiB out", 8192, 8192, 0),
]


def figures(store: str, rounds: int) -> Iterator[Figure]:
    """Measure with a store."""
    with STORES[store]() as settings_of:
        contestants = [partial(_bytes, settings_of, kind) for kind in _KINDS]
        yield Figure(
            f"disk-{store}",
            f"disk of a request that has ended, store {store}",
            "bytes",
            interleaved(contestants, rounds),
            remarks=[f"each value is the mean of {_REQUESTS:,} requests"],
        )


def _bytes(settings_of: Callable[[str], Settings], kind: _Kind) -> Values:
    settings = settings_of(next(_names))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = _opened(folder, settings)
        empty = _size(folder, settings)
        _fill(store, kind)
        assert len(store.log_chunks(str(uuid.UUID(int=1)))) == (1 if kind.log else 0)
        store.close()
        return {kind.name: (_size(folder, settings) - empty) / _REQUESTS}


def _opened(folder: Path, settings: Settings) -> Store:
    """Return a new store, in which there is nothing yet."""
    lines = [f"[DEFAULT]\nstate_path = {folder}"]
    for group, values in settings.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
    path = folder / "pratai.conf"
    path.write_text("\n".join([*lines, ""]))
    store = open_store(configuration.load("benchmark", ["--config-file", str(path)]))
    store.create_schema()
    return store


def _fill(store: Store, kind: _Kind) -> None:
    chosen = random.Random(0)
    began = now_ms() - _REQUESTS
    for start in range(0, _REQUESTS, _BATCH):
        numbers = range(start, start + _BATCH)
        store.create_requests(
            [
                NewRequest(
                    _request(number, began + number),
                    _body(chosen, kind.payload),
                    _body(chosen, kind.result),
                )
                for number in numbers
            ]
        )
        if kind.log:
            store.add_log_chunks([_chunk(number, chosen.randbytes(kind.log)) for number in numbers])


def _request(number: int, at: int) -> Request:
    attempt = Attempt(number=1, node="node1.example.org", epoch=1, started_at=at, finished_at=at)
    return Request(
        request_id=str(uuid.UUID(int=number)),
        function_id=str(uuid.UUID(int=number % 10)),
        project_id=uuid.UUID(int=1).hex,
        user_id=uuid.UUID(int=2).hex,
        source="http",
        status=Status.SUCCESS,
        version=1,
        attempts=(attempt,),
        created_at=at,
        started_at=at,
        finished_at=at,
        expires_at=at + limits.ASYNC_LIFETIME_MS,
        next_run_at=at,
        queue_ms=2,
        init_ms=0.0,
        run_ms=1.5,
        cold=False,
        isolation="container",
        node=attempt.node,
        peak_memory=20_000_000,
        timing=Timing(accepted=at * 1000),
    )


def _body(chosen: random.Random, size: int) -> Body:
    return Body.inline(f'"{chosen.randbytes(size // 2 - 1).hex()}"'.encode())


def _chunk(number: int, content: bytes) -> LogChunk:
    return LogChunk(
        request_id=str(uuid.UUID(int=number)),
        attempt=1,
        seq=0,
        project_id=uuid.UUID(int=1).hex,
        content=content.hex()[: len(content)].encode(),
    )


def _size(folder: Path, settings: Settings) -> int:
    """Return what a store takes."""
    if "store" not in settings:
        return sum(path.stat().st_size for path in folder.glob("store.sqlite*"))
    indices = f"{settings['store']['hosts']}/{settings['store']['index_prefix']}-*"
    with requests.Session() as session:
        session.trust_env = False
        merging = {"max_num_segments": "1", "flush": "true"}
        session.post(f"{indices}/_forcemerge", params=merging, timeout=300).raise_for_status()
        answer = session.get(f"{indices}/_stats/store", timeout=60)
        answer.raise_for_status()
        return int(answer.json()["_all"]["primaries"]["store"]["size_in_bytes"])
