"""Calls are recorded behind their answers: together, and each even so."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Body, Status
from pratai_scheduler import recorder as recording
from pratai_scheduler.collector import AnsweredCall, Collector
from pratai_scheduler.recorder import Recorder
from tests.unit.world import World
from tests.waiting import until

OUTPUT = Body(sha256="s", size=1, content=b"2")


class Behind:
    """A collector with a recorder, whose writes are counted, and held up while they are to be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.writes: list[int] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.recorder = Recorder(0.05)
        self.collector = Collector(
            world.store,
            world.archives,
            world.key,
            world.collector._sends,
            lambda: world.now,
            self.recorder.put,
        )
        self.recorder.start(self._record)

    def _record(self, calls: Sequence[AnsweredCall]) -> None:
        assert self.goes_on.wait(30)
        self.writes.append(len(calls))
        self.collector.record(calls)

    def end_calls(self, *names: str) -> None:
        self.world.heartbeat(slots=8)
        for name in names:
            self.world.call(name)
        jobs = {job.request_id: job for job in self.world.to_nodes}
        for name in names:
            self.collector.receive([self.world.result(jobs[name], output=OUTPUT)])

    def acknowledged(self) -> set[str]:
        return {each.request_id for each in self.world.acknowledged}


@pytest.fixture
def behind(world: World) -> Iterator[Behind]:
    world.function()
    made = Behind(world)
    yield made
    made.goes_on.set()
    if made.recorder._thread.is_alive():
        made.recorder.stop()


def test_they_are_answered_before_they_are_recorded_together(behind: Behind) -> None:
    behind.goes_on.clear()
    names = [f"c{number}" for number in range(8)]
    behind.end_calls(*names)
    world = behind.world
    assert [each.request_id for each in world.answers] == names
    assert world.store.get_requests(names) == {}
    assert behind.acknowledged() == set()
    behind.goes_on.set()
    until(lambda: behind.acknowledged() == set(names), "all are acknowledged")
    records = world.store.get_requests(names).values()
    assert {each.status for each in records} == {Status.SUCCESS}
    assert (sum(behind.writes), len(behind.writes) < len(names)) == (len(names), True)


def test_what_waits_is_recorded_before_the_end(behind: Behind) -> None:
    behind.end_calls("a", "b")
    behind.recorder.stop()
    assert behind.acknowledged() == {"a", "b"}


def test_without_the_store_it_goes_on_and_the_node_brings_them_again(behind: Behind) -> None:
    world = behind.world
    world.store.away = True
    behind.end_calls("a")
    until(lambda: behind.writes, "it was tried")
    world.store.away = False
    assert behind.acknowledged() == set()
    [job] = world.to_nodes
    behind.collector.receive([world.result(job, output=OUTPUT)])
    until(lambda: behind.acknowledged() == {"a"}, "it is recorded")
    assert world.status("a") == (Status.SUCCESS, None)


def test_what_fails_for_another_reason_ends_nothing(world: World) -> None:
    failures = [ValueError("a fault"), StoreUnavailableError("away")]
    seen: list[int] = []

    def record(calls: Sequence[AnsweredCall]) -> None:
        seen.append(len(calls))
        if failures:
            raise failures.pop()

    recorder = Recorder(0)
    recorder.start(record)
    for count in range(1, 4):
        assert recorder.put([None] * count)  # type: ignore[list-item]  # looked at by nobody
        until(partial(seen.__contains__, count), "they were taken")
    recorder.stop()


def test_where_too_many_wait_they_are_recorded_at_once(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST", 2)
    behind.goes_on.clear()
    behind.end_calls("a")
    until(lambda: not behind.recorder._waiting, "it was taken, and is held up")
    behind.end_calls("b", "c", "d", "e")
    assert behind.acknowledged() == {"d", "e"}
    behind.goes_on.set()
    until(lambda: len(behind.acknowledged()) == 5, "all are recorded")


class LastMoment(threading.Event):
    """An end that comes when the recorder has just looked for calls, with another one."""

    def __init__(self, come: Callable[[], object]) -> None:
        super().__init__()
        self.come = come
        self.looks = 0

    def is_set(self) -> bool:
        self.looks += 1
        if self.looks == 2:
            self.come()
            self.set()
        return super().is_set()


def test_what_comes_at_the_last_moment_is_recorded() -> None:
    recorder = Recorder(0)
    seen: list[object] = []
    recorder._ended = LastMoment(lambda: recorder.put(["last"]))  # type: ignore[list-item]
    recorder.put(["first"])  # type: ignore[list-item]
    recorder.start(seen.extend)
    recorder._thread.join(30)
    assert seen == ["first", "last"]


def test_one_that_cannot_be_recorded_keeps_no_others_from_it() -> None:
    recorded: list[object] = []

    def record(calls: Sequence[object]) -> None:
        if "bad" in calls:
            raise ValueError("a fault")
        recorded.extend(calls)

    recorder = Recorder(0)
    recorder.put(["a", "bad", "b"])  # type: ignore[list-item]
    recorder.start(record)
    recorder.stop()
    assert recorded == ["a", "b"]
