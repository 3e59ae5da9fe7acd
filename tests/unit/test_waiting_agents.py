"""What an agent does when as many requests wait as may: sources and timers of that project wait,
others go on, and afterwards all goes on.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratai_agent import door
from pratai_agent.sources.base import Happened, Source
from pratai_agent.timers import MARK, Timers
from pratai_common import limits
from pratai_common.admission import Admission, Bounds
from pratai_common.publishing import Publisher
from pratai_common.store.base import Waiting
from pratai_common.submit import Submitter
from tests.archives import in_folder
from tests.records import function
from tests.unit.source_world import SourceWorld, run
from tests.unit.timer_world import TimerWorld, timer
from tests.waiting import until


def count(admission: Admission, **by_project: int) -> None:
    admission.begin_count()
    admission.end_count(Waiting(sum(by_project.values()), by_project), 1)


# Sources


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SourceWorld]:
    monkeypatch.setattr(door, "RETRY_SECONDS", 0.01)
    made = SourceWorld(tmp_path)
    yield made
    made.close()


def test_a_source_waits_and_goes_on(sources: SourceWorld, tmp_path: Path) -> None:
    """Its door returns, so that a broker may forget, only when all is recorded."""
    admission = Admission(Bounds(project=2, total=9))
    submitter = Submitter(sources.store, in_folder(tmp_path / "a"), lambda _: 0, int, admission)
    sources.publisher = Publisher(sources.store, submitter)
    taken: list[str] = []

    def serve(source: Source) -> None:
        source.door.state("running")
        for name in "abcd":
            source.door.take([Happened(name, b"1", {})])
            taken.append(name)
        run(source)

    sources.serve = serve
    sources.event()
    found = sources.until_state("failing")
    quota = "the project's quota of queued_requests is 2, of which 2 are used"
    assert found.error == f"what came waits: {quota}"
    assert taken == ["a", "b"]
    assert len(sources.requests()) == 2
    count(admission)
    until(lambda: len(taken) == 4, "the others are taken")
    assert sources.until_state("running").received == 4
    assert len(sources.requests()) == 4


def test_a_source_that_waits_can_be_stopped(sources: SourceWorld, tmp_path: Path) -> None:
    admission = Admission(Bounds(project=1, total=9))
    count(admission, p=1)
    submitter = Submitter(sources.store, in_folder(tmp_path / "a"), lambda _: 0, int, admission)
    sources.publisher = Publisher(sources.store, submitter)
    asked = threading.Event()

    def serve(source: Source) -> None:
        asked.set()
        source.door.take([Happened("a", b"1", {})])

    sources.serve = serve
    sources.event()
    sources.until_state("failing")
    assert asked.is_set()
    sources.change(enabled=False)
    until(lambda: sources.state() is None, "it was stopped")
    assert sources.requests() == []


# Timers


class Timed:
    """Timers of the projects ``p`` (``s``) and ``q`` (``t``), of which the first may be full."""

    def __init__(self, folder: Path, misfire: str = "once") -> None:
        self.world = TimerWorld(folder)
        self.admission = Admission(Bounds(project=100, total=1000))
        self.world.store.create_function(function(2, project_id="q"))
        self.world.store.create_subscription(timer(misfire=misfire))
        other = replace(timer("t", project_id="q", misfire=misfire), function_id="f2")
        self.world.store.create_subscription(other)
        self.agent = self.new_agent()

    def new_agent(self) -> Timers:
        def clock() -> int:
            return self.world.now

        submitter = Submitter(
            self.world.store, self.world.archives, self.world.sent.append, clock, self.admission
        )
        return Timers(self.world.store, submitter, clock)

    def at(self, *times: int) -> None:
        for each in times:
            self.world.at(each, self.agent)

    def full(self, project: int = 0, total: int = 0) -> None:
        self.admission.begin_count()
        self.admission.end_count(Waiting(total or project, {"p": project}), 1)

    def ticks(self, subscription_id: str = "s", project: str = "p") -> list[int]:
        return self.world.recorded(subscription_id, project)


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Timed]:
    made = Timed(tmp_path)
    yield made
    made.world.store.close()


def test_ticks_of_a_full_project_wait_and_no_others(timed: Timed) -> None:
    timed.at(11_000)
    timed.full(project=100)
    timed.at(12_000, 13_000, 14_000)
    assert timed.ticks() == [11_000]
    assert timed.ticks("t", "q") == [11_000, 12_000, 13_000, 14_000]
    assert timed.agent.pause() > 0
    timed.full()
    timed.at(15_000)
    assert timed.ticks() == [11_000, 12_000, 13_000, 14_000, 15_000]


@pytest.mark.parametrize("misfire", ["skip", "once", "all"])
def test_ticks_that_waited_too_long_are_missed(tmp_path: Path, misfire: str) -> None:
    timed = Timed(tmp_path, misfire)
    timed.at(11_000)
    timed.full(project=100)
    last = 32_000
    timed.at(*range(12_000, last, 1000))
    timed.full()
    timed.at(last)
    on_time = list(range(last - limits.ON_TIME_MS, last + 1, 1000))
    missed = list(range(12_000, last - limits.ON_TIME_MS, 1000))
    most = {"skip": [], "once": missed[-1:], "all": missed}[misfire]
    assert timed.ticks() == [11_000, *most, *on_time]
    assert timed.ticks("t", "q") == list(range(11_000, last + 1, 1000))
    timed.world.store.close()


def test_what_was_refused_is_not_forgotten_by_a_restart(tmp_path: Path) -> None:
    """The mark says until when all is recorded: ticks that wait are not."""
    timed = Timed(tmp_path, "all")
    timed.at(11_000)
    timed.full(project=100)
    late = 11_000 + 90_000
    timed.at(12_000, late)
    assert timed.world.store.get_mark(MARK) == 11_999
    timed.full()
    timed.agent = timed.new_agent()
    timed.at(late + 1)
    assert timed.ticks() == list(range(11_000, late + 1, 1000))
    timed.world.store.close()


def test_all_ticks_wait_where_all_projects_have_too_much(timed: Timed) -> None:
    timed.at(11_000)
    timed.full(total=1000)
    timed.at(12_000)
    assert timed.ticks() == timed.ticks("t", "q") == [11_000]
    timed.full()
    timed.at(13_000)
    assert timed.ticks() == timed.ticks("t", "q") == [11_000, 12_000, 13_000]


def test_a_deleted_timer_that_waited_is_forgotten(timed: Timed) -> None:
    timed.at(11_000)
    timed.full(project=100)
    timed.at(12_000)
    timed.world.store.delete_subscription("s")
    timed.full()
    timed.at(13_000)
    assert timed.ticks() == [11_000]
    assert timed.ticks("t", "q") == [11_000, 12_000, 13_000]
