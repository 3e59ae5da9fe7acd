"""A node: what becomes of jobs that are interrupted, or that it cannot do."""

import json
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from msgspec.structs import replace

from pratai_common.errors import BuildError, EngineError
from pratai_common.messages import Cancel, Done, Ended, FunctionChanged, Heartbeat, Result, Stored
from pratai_common.records import Timing
from pratai_drivers.engines import null
from pratai_drivers.engines.base import Exit
from pratai_drivers.engines.null import NullContainer
from pratai_drivers.folders import builds_path
from tests.packages import package
from tests.unit.node_world import NodeWorld
from tests.waiting import until

WITH_REQUIREMENTS = package("def main(p=None): return p\n", "a==1\n")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[NodeWorld]:
    made = NodeWorld(tmp_path)
    yield made
    made.close()


def test_a_job_runs(world: NodeWorld) -> None:
    """The positive control of all that follows."""
    world.node.receive([world.job("r")])
    result = world.result("r")
    assert result.reason is None
    assert result.output is not None
    assert result.output.content == b"7"
    assert world.spool.keys() == (("r", 1),)
    world.node.receive([Stored(request_id="r", attempt=1)])
    assert world.spool.keys() == ()


def test_a_build_is_cancelled(world: NodeWorld) -> None:
    world.node.receive([world.build("b", WITH_REQUIREMENTS)])
    world.engine.begun.get(timeout=30)
    assert list(builds_path(world.conf).iterdir()) != []
    world.node.receive([Cancel(request_id="b", epoch=1)])
    result = world.result("b")
    assert (result.reason, result.message) == ("cancelled", "it was cancelled")
    assert list(builds_path(world.conf).iterdir()) == []


def test_a_run_is_cancelled_while_its_image_is_made(world: NodeWorld) -> None:
    world.node.receive([world.job("r", WITH_REQUIREMENTS)])
    world.engine.begun.get(timeout=30)
    world.node.receive([Cancel(request_id="r", epoch=1)])
    result = world.result("r")
    assert (result.reason, result.message) == ("cancelled", "it was cancelled")
    assert world.engine.started == []


def test_what_is_cancelled_while_it_waits_for_a_slot_never_starts(world: NodeWorld) -> None:
    world.node.receive([world.job("r0")])
    world.result("r0")
    world.node.receive([world.build("b", WITH_REQUIREMENTS)])
    world.engine.begun.get(timeout=30)
    world.node.receive([world.job("r"), Cancel(request_id="r", epoch=1)])
    world.engine.verdicts.put(None)
    assert world.result("b").reason is None
    assert world.result("r").reason == "cancelled"
    assert len(world.engine.started) == 1


def test_a_node_that_stops_ends_builds_and_what_yet_comes(world: NodeWorld) -> None:
    world.node.receive([world.build("b", WITH_REQUIREMENTS)])
    world.engine.begun.get(timeout=30)
    world.slots.interrupt_all("the node was stopped")
    world.node.receive([world.job("r")])
    for request_id in ("b", "r"):
        result = world.result(request_id)
        assert (result.reason, result.message) == ("node_lost", "the node was stopped")
    assert world.engine.started == []


def _draining(world: NodeWorld) -> bool | None:
    """Return what the last heartbeat said, if there was one."""
    beats = world.said(Heartbeat)
    return beats[-1].state.draining if beats else None


def test_a_node_whose_engine_is_away_takes_no_jobs_until_it_is_back(world: NodeWorld) -> None:
    world.engine.away.set()
    world.node.receive([world.job("r1")])
    result = world.result("r1")
    assert (result.reason, result.message) == ("node_lost", "it is away")
    until(lambda: _draining(world) is True, "it takes no jobs")
    world.engine.away.clear()
    until(lambda: _draining(world) is False, "it takes jobs again")
    world.node.receive([world.job("r2")])
    assert world.result("r2").reason is None


def test_a_job_that_does_not_start_is_no_reason_to_take_no_others(world: NodeWorld) -> None:
    world.engine.refuses = True
    world.node.receive([world.job("r")])
    assert world.result("r").message == "it will not start this one"
    world.node.tick()
    beats = until(lambda: world.said(Heartbeat), "it gives a sign of life")
    assert {beat.state.draining for beat in beats} == {False}


def test_an_image_is_made_once_at_a_time(world: NodeWorld) -> None:
    """Also where the first who made it failed, and one comes while the second makes it."""
    wanted = world.api.package(WITH_REQUIREMENTS)
    ended: queue.Queue[str] = queue.Queue()

    def make() -> None:
        try:
            ended.put(world.builder.image(wanted, lambda _output: None))
        except BuildError as error:
            ended.put(str(error))

    threads = [threading.Thread(target=make, daemon=True) for _ in range(3)]
    threads[0].start()
    world.engine.begun.get(timeout=30)
    threads[1].start()
    world.engine.verdicts.put("the first failed")
    assert ended.get(timeout=30) == "the first failed"
    world.engine.begun.get(timeout=30)
    threads[2].start()
    with pytest.raises(queue.Empty):
        world.engine.begun.get(timeout=0.3)
    world.engine.verdicts.put(None)
    images = {ended.get(timeout=30), ended.get(timeout=30)}
    assert len(images) == 1
    assert world.engine.has_image(images.pop())
    assert world.engine.begun.empty()
    for thread in threads:
        thread.join()


def test_a_runtime_that_somebody_removed_is_made_again(world: NodeWorld) -> None:
    world.engine.lose("null/python3")
    world.node.receive([world.job("r1")])
    assert world.result("r1").reason is None
    assert world.engine.prepared == 2
    world.node.receive([world.job("r2")])
    assert world.result("r2").reason is None
    assert world.engine.prepared == 2


def test_the_end_of_a_job_is_told_where_it_is_counted(world: NodeWorld) -> None:
    world.node.receive([replace(world.job("r"), counted=False)])
    world.result("r")
    until(lambda: [each.request_id for each in world.said(Done)] == ["r"], "its room is free")
    assert world.said(Ended) == []
    world.node.receive([world.job("s")])
    world.result("s")
    assert [each.request_id for each in world.said(Ended)] == ["s"]


def test_nothing_waits_for_a_function_that_has_changed(world: NodeWorld) -> None:
    job = replace(world.job("r"), isolation="shared")
    world.node.receive([job])
    assert until(world.pool.ready, "its container waits for the next event")
    world.node.receive([FunctionChanged(function_id="another")])
    assert world.pool.ready()
    world.node.receive([FunctionChanged(function_id=job.package.function_id)])
    assert world.pool.ready() == ()


def test_a_result_says_when_its_job_was_where(world: NodeWorld) -> None:
    timing = Timing(accepted=1, dispatched=2)
    world.node.receive([replace(world.job("r"), timing=timing)])
    seen = world.result("r").timing
    assert seen is not None
    assert (seen.accepted, seen.dispatched, seen.settled) == (1, 2, None)
    assert seen.taken is not None
    assert seen.started is not None
    assert seen.ended is not None
    assert seen.taken <= seen.started <= seen.ended
    world.node.receive([world.job("s")])
    assert world.result("s").timing is None


class Leaving(NullContainer):
    """A container whose runner has left after its answer, when the engine has just gone away."""

    def wait(self, seconds: float) -> Exit | None:
        if super().wait(seconds) is None:
            return None
        raise EngineError("it is away")


class Lasting(NullContainer):
    """A container that knows what it needed."""

    def peak_memory(self) -> int | None:
        return 5


def test_an_answer_stays_whatever_becomes_of_its_container(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.engine, "start", lambda spec: Leaving(spec.link))
    monkeypatch.setattr(null, "_answer", _answer_and_leave)
    world.node.receive([replace(world.job("r"), isolation="process")])
    _assert_one_success(world)
    assert world.health.sound


def test_an_answer_stays_where_its_container_cannot_be_given_back(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = world.pool.release

    def fail(*arguments: Any) -> None:
        release(*arguments)
        raise EngineError("it is away")

    monkeypatch.setattr(world.pool, "release", fail)
    world.node.receive([world.job("r")])
    _assert_one_success(world)


def _answer_and_leave(connection: socket.socket, file: BinaryIO) -> None:
    """Answer one event, though it was asked for more."""
    file.readline()
    connection.sendall(b'{"op": "next", "size": 0}\n')
    file.read(json.loads(file.readline())["size"])
    connection.sendall(b'{"op": "response", "size": 1}\n7')


def _assert_one_success(world: NodeWorld) -> None:
    until(lambda: world.said(Done), "its room is free")
    assert [each.reason for each in world.said(Result)] == [None]
    kept = world.spool.get(("r", 1))
    assert kept is not None
    assert kept.reason is None


def test_what_a_container_needed_at_most_is_its_first_events(
    world: NodeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.engine, "start", lambda spec: Lasting(spec.link))
    for name in ("r0", "r1"):  # one after the other: there is one slot
        world.node.receive([replace(world.job(name), isolation="process")])
    results = [world.result(name) for name in ("r0", "r1")]
    found = [(each.cold, each.peak_memory) for each in results]
    assert found == [(True, 5), (False, None)]
