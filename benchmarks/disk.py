"""How much disk a request takes that has ended: what an operator multiplies by what users do.

Requests are written through the store's own interface, as a call leaves them that ran once: with
what CloudEvents say of it, one attempt, its times, what came in and what came out. Ids and text are
random, and text is hexadecimal digits, which do not compress to less than half; that of users most
often does. Of Elasticsearch the segments of the primary shards are counted after they were merged
into one, without the log of what was written last. With SQLite it is the file, of which nothing was
deleted yet.
"""

import random
import tempfile
import uuid
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks.common import Figure
from benchmarks.stores import STORES, Settings
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.clock import iso, now_ms
from pratai_common.records import Attempt, Body, LogChunk, Request, Status, Timing
from pratai_common.store.base import NewRequest, Store, open_store

_REQUESTS = 5_000
_BATCH = 500
_FUNCTIONS = 10
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


def figures(store: str, _rounds: int) -> Iterator[Figure]:
    """Measure with a store, once: but for the time of day the same is written each time."""
    with STORES[store]() as settings_of:
        yield Figure(
            f"disk-{store}",
            f"disk of a request that has ended, store {store}",
            "bytes",
            {kind.name: [_bytes(settings_of(next(_names)), kind)] for kind in _KINDS},
            remarks=[f"each value is the mean of {_REQUESTS:,} requests"],
        )


def _bytes(settings: Settings, kind: _Kind) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = _opened(folder, settings)
        store.create_schema()
        store.close()
        empty = _size(folder, settings)
        store = _opened(folder, settings)
        last = _fill(store, kind)
        if "store" in settings:
            _merge(settings)
        assert len(store.log_chunks(last)) == (1 if kind.log else 0)
        store.close()
        return (_size(folder, settings) - empty) / _REQUESTS


def _opened(folder: Path, settings: Settings) -> Store:
    lines = [f"[DEFAULT]\nstate_path = {folder}"]
    for group, values in settings.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
    path = folder / "pratai.conf"
    path.write_text("\n".join([*lines, ""]))
    return open_store(configuration.load("benchmark", ["--config-file", str(path)]))


def _fill(store: Store, kind: _Kind) -> str:
    """Write the requests; return the id of the last one."""
    chosen = random.Random(0)
    functions = [_id(chosen) for _ in range(_FUNCTIONS)]
    began = now_ms() - _REQUESTS
    for start in range(0, _REQUESTS, _BATCH):
        made = [
            _ended(chosen, functions[number % _FUNCTIONS], began + number, kind)
            for number in range(start, start + _BATCH)
        ]
        store.create_requests(made)
        if kind.log:
            store.add_log_chunks([_chunk(chosen, new.request, kind.log) for new in made])
    return made[-1].request.request_id


def _id(chosen: random.Random) -> str:
    return str(uuid.UUID(int=chosen.getrandbits(128)))


def _ended(chosen: random.Random, function_id: str, at: int, kind: _Kind) -> NewRequest:
    body = _body(chosen, kind.payload)
    request = _request(chosen, function_id, at, body.sha256)
    return NewRequest(request, body, _body(chosen, kind.result))


def _request(chosen: random.Random, function_id: str, at: int, input_sha256: str) -> Request:
    started = at + chosen.randrange(2, 20)
    finished = started + chosen.randrange(2, 200)
    attempt = Attempt(
        number=1, node="node1.example.org", epoch=1, started_at=started, finished_at=finished
    )
    identity = _id(chosen)
    return Request(
        request_id=identity,
        function_id=function_id,
        project_id=uuid.UUID(int=1).hex,
        user_id=uuid.UUID(int=2).hex,
        source="http",
        event={
            "specversion": "1.0",
            "id": identity,
            "source": f"/v1/functions/{function_id}",
            "type": "pratai.http",
            "time": iso(at),
            "datacontenttype": "application/json",
        },
        status=Status.SUCCESS,
        version=1,
        attempts=(attempt,),
        input_sha256=input_sha256,
        created_at=at,
        started_at=started,
        finished_at=finished,
        expires_at=at + limits.ASYNC_LIFETIME_MS,
        next_run_at=at,
        queue_ms=started - at,
        init_ms=0.0,
        run_ms=round(chosen.uniform(2, 200), 3),
        cold=False,
        isolation="container",
        node=attempt.node,
        peak_memory=chosen.randrange(8, 40) * 2**20,
        timing=_timing(chosen, at * 1000),
    )


def _timing(chosen: random.Random, accepted: int) -> Timing:
    later = sorted(accepted + chosen.randrange(200_000) for _ in range(5))
    names = ("dispatched", "taken", "started", "ended", "settled")
    return Timing(accepted=accepted, **dict(zip(names, later, strict=True)))


def _body(chosen: random.Random, size: int) -> Body:
    return Body.inline(f'"{chosen.randbytes(size // 2 - 1).hex()}"'.encode())


def _chunk(chosen: random.Random, request: Request, size: int) -> LogChunk:
    return LogChunk(
        request_id=request.request_id,
        attempt=1,
        seq=0,
        project_id=request.project_id,
        content=chosen.randbytes(size // 2).hex().encode(),
    )


def _size(folder: Path, settings: Settings) -> int:
    """Return what a store takes that is closed, and merged."""
    if "store" not in settings:
        return sum(path.stat().st_size for path in folder.glob("store.sqlite*"))
    # Not of the statistics of indices, which are up to ten seconds old.
    indices = _call("GET", settings, "_segments")["indices"].values()
    shards = chain.from_iterable(chain(*index["shards"].values()) for index in indices)
    primaries = (shard["segments"] for shard in shards if shard["routing"]["primary"])
    return sum(
        segment["size_in_bytes"]
        for segments in primaries
        for segment in segments.values()
        if segment["search"]
    )


def _merge(settings: Settings) -> None:
    """Let searches find all that is written, in one segment."""
    _call("POST", settings, "_forcemerge?max_num_segments=1")
    _call("POST", settings, "_refresh")


def _call(method: str, settings: Settings, path: str) -> Any:
    indices = f"{settings['store']['hosts']}/{settings['store']['index_prefix']}-*"
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, f"{indices}/{path}", timeout=300)
        answer.raise_for_status()
        return answer.json()
