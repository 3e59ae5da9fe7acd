"""The whole scheduler but its socket, on one core, with simulated nodes.

From the frames that arrive (``Submitted``, ``Ended``, ``Done``) to the frames of the jobs that
leave: synchronous calls, and recorded requests. The store is the real one, on a file system
in memory, so that no disk is measured. Half of all slots are taken throughout. What the scheduler
does once a second (its tick) takes its part of every second. Heartbeats are a figure of their own.

Afterwards all decisions are replayed: each job went to one node, which had room and was never
over its capacity. Each frame that left is decoded: its token is genuine and its input is
what came in; recorded requests are read back from the store.
"""

import hashlib
import random
import secrets
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.common import Contestant, Figure, Values, interleaved, milliseconds, ratio
from benchmarks.decisions import named
from benchmarks.replay import Replay
from benchmarks.simulated import INSTANCE, JOB_MEMORY, MEMORY, SIZES, SLOTS, states
from pratai_common.clock import now_ms
from pratai_common.messages import (
    Done,
    Ended,
    Heartbeat,
    Hello,
    Job,
    Message,
    MessageDecoder,
    NodeState,
    SchedulerMessage,
    Submitted,
    encode,
)
from pratai_common.node_urls import NodeUrls
from pratai_common.records import Body, FunctionStatus, Request, Status, Version
from pratai_common.store.base import Changed, NewRequest, RequestChange
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.tokens import TokenKey
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.node import Attempted
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.running import Sends
from tests.records import function, request

_IN_MEMORY = "/dev/shm"
_FUNCTION = "f1"
_CALLS, _RECORDED = 4096, 512
_CALLS_NAME, _RECORDED_NAME = "pratai, calls", "pratai, recorded requests"
_BATCH = 16
"""Messages that the scheduler finds waiting at a time."""

_HEARTBEATS = 128
_LONG_MS = 10**9


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder, ExitStack() as opened:
        worlds = [_World(Path(folder), size) for size in SIZES]
        dispatches: list[Contestant] = []
        for world in worlds:
            opened.callback(world.store.close)
            dispatches += [partial(world.dispatch, False), partial(world.dispatch, True)]
        yield Figure(
            "dispatching",
            "the whole scheduler but its socket",
            "dispatches a second",
            interleaved(dispatches, rounds),
            [
                ratio(named(name, SIZES[-1]), named(name, SIZES[0]))
                for name in (_CALLS_NAME, _RECORDED_NAME)
            ],
            [
                f"each value is of {_CALLS} calls or {_RECORDED} recorded requests",
                "all were replayed, decoded and read back",
            ],
        )
        yield Figure(
            "heartbeats",
            "heartbeats taken in by the scheduler",
            "heartbeats a second",
            interleaved([world.heartbeats for world in worlds], rounds),
        )


class _Out(NamedTuple):
    node: str
    job: Attempted


class _World:
    """A scheduler, its store, and simulated nodes of which half of the slots are taken."""

    def __init__(self, folder: Path, size: int) -> None:
        self._size = size
        self._states = states(size)
        self.store = SQLiteStore(folder / f"{size}.sqlite")
        self.store.create_schema()
        self._key = TokenKey(secrets.token_bytes(32))
        self._sent: list[bytes] = []
        self._arriving: MessageDecoder[SchedulerMessage] = MessageDecoder(SchedulerMessage)
        self._leaving: MessageDecoder[Job] = MessageDecoder(Job)
        self._replay = Replay((state.node for state in self._states), SLOTS, MEMORY)
        self._running: list[_Out] = []
        self._numbers = count()
        self._random = random.Random(size)
        self._create_function()
        self._dispatcher = self._new_dispatcher()
        self._dispatcher.tick()
        self._dispatcher.receive([Hello(state=state) for state in self._states])
        self._give(size * SLOTS // 2, recorded=False)

    def dispatch(self, recorded: bool) -> Values:
        """Have requests dispatched while as many others end; checks all of it."""
        name, number = (_RECORDED_NAME, _RECORDED) if recorded else (_CALLS_NAME, _CALLS)
        tick = _seconds(self._dispatcher.tick)
        seconds = 0.0
        for _ in range(number // _BATCH):
            seconds += self._give(_BATCH, recorded)
            seconds += self._end(_BATCH)
        return {named(name, self._size): number / seconds * (1 - tick)}

    def heartbeats(self) -> Values:
        """Have heartbeats taken in; checks that the store has them."""
        running: dict[str, list[tuple[str, int, str]]] = {}
        for out in self._running:
            running.setdefault(out.node, []).append((*out.job, _FUNCTION))
        chosen = [self._random.choice(self._states) for _ in range(_HEARTBEATS)]
        beats = [replace(state, running=tuple(running.get(state.node, ()))) for state in chosen]
        began = now_ms()
        seconds = self._receive([encode(Heartbeat(state=state)) for state in beats])
        seen = {each.daemon_id: each.seen_at for each in self.store.list_daemons()}
        assert all(seen[state.node] >= began for state in chosen)
        return {named("pratai", self._size): _HEARTBEATS / seconds}

    def _give(self, number: int, recorded: bool) -> float:
        """Submit requests; returns the seconds until their jobs have left."""
        submitted = [self._submitted(recorded) for _ in range(number)]
        if recorded:
            self.store.create_requests([NewRequest(each.request, each.input) for each in submitted])
        self._sent.clear()
        seconds = self._receive([encode(each) for each in submitted])
        jobs = [self._leaving.decode([frame]) for frame in self._sent]
        assert len(jobs) == number
        for job, each in zip(jobs, submitted, strict=True):
            assert self._key.verify(job)
            assert (job.request_id, job.input) == (each.request.request_id, each.input)
            out = _Out(job.node, (job.request_id, job.attempt))
            self._replay.take(out.job, out.node, job.memory, near=True)
            self._running.append(out)
        if recorded:
            self._settle(jobs)
        return seconds

    def _end(self, number: int) -> float:
        """Let jobs end, in any order; returns the seconds until that is taken in."""
        ended = [self._taken_out() for _ in range(number)]
        frames = [encode(_told(kind, out)) for out in ended for kind in (Ended, Done)]
        seconds = self._receive(frames)
        for out in ended:
            self._replay.give(out.job)
        return seconds

    def _taken_out(self) -> _Out:
        running, index = self._running, self._random.randrange(len(self._running))
        running[index], running[-1] = running[-1], running[index]
        return running.pop()

    def _receive(self, frames: Sequence[bytes]) -> float:
        def receive() -> None:
            for start in range(0, len(frames), _BATCH):
                batch = frames[start : start + _BATCH]
                self._dispatcher.receive([self._arriving.decode([frame]) for frame in batch])

        return _seconds(receive)

    def _settle(self, jobs: Sequence[Job]) -> None:
        """Check that the store says who runs what; then be the collector."""
        found = self.store.get_requests([job.request_id for job in jobs])
        for job in jobs:
            record = found[job.request_id]
            assert (record.status, record.node) == (Status.RUNNING, job.node), record
        self.store.change_requests([RequestChange(job.request_id, _succeeded) for job in jobs])

    def _submitted(self, recorded: bool) -> Submitted:
        now, payload = now_ms(), str(next(self._numbers)).encode()
        made = replace(
            request(),
            request_id=str(uuid.uuid4()),
            function_id=_FUNCTION,
            created_at=now,
            next_run_at=now,
            expires_at=now + _LONG_MS,
        )
        body = Body(sha256=hashlib.sha256(payload).hexdigest(), size=len(payload), content=payload)
        return Submitted(request=made, input=body, recorded=recorded)

    def _create_function(self) -> None:
        active = function(
            function_id=_FUNCTION, status=FunctionStatus.ACTIVE, version=1, memory=JOB_MEMORY
        )
        self.store.create_function(active)
        self.store.create_version(
            Version(
                function_id=_FUNCTION,
                number=1,
                project_id=active.project_id,
                runtime="python3",
                archive_sha256="0" * 64,
                size=1,
                build_request_id="build",
                created_at=1,
            )
        )

    def _new_dispatcher(self) -> Dispatcher:
        def to_node(_node: NodeState, message: Message) -> bool:
            self._sent.append(encode(message))
            return True

        return Dispatcher(
            self.store,
            Assignments(
                self._key, now_ms, NodeUrls("http://127.0.0.1:9096", self._key).archive, 3600
            ),
            Leadership(self.store, "benchmark", lease_ms=_LONG_MS, settle_ms=0),
            Nodes(lease_ms=_LONG_MS, adopt_ms=_LONG_MS),
            Sends(to_node, _unwanted, _unwanted),
            now_ms,
            JOB_MEMORY,
            _LONG_MS,
        )


def _told(kind: type[Ended] | type[Done], out: _Out) -> Message:
    request_id, attempt = out.job
    return kind(node=out.node, instance=INSTANCE, request_id=request_id, attempt=attempt)


def _succeeded(record: Request) -> Changed:
    return Changed(replace(record, status=Status.SUCCESS))


def _unwanted(*message: object) -> bool:
    raise AssertionError(f"nothing was to be refused: {message}")


def _seconds(work: Callable[[], object]) -> float:
    return milliseconds(work) / 1000
