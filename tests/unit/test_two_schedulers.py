"""Two schedulers on one store: one acts, one hears all of it and takes over."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import (
    Bye,
    Cancel,
    Done,
    Ended,
    Heartbeat,
    Hello,
    SchedulerMessage,
    Submitted,
)
from pratai_common.records import Status
from pratai_common.store.sqlite import SQLiteStore
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from tests.unit.world import BODY, World, node_state

LEASE_MS = 5_000
STEP_MS = 250
BEAT_STEPS = 4


class Pair:
    """``first`` acts and ``second`` stands by. A node ``n`` says each second that it lives and what
    it runs; ``stopped`` are schedulers that stand still, and hear later what was said meanwhile.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        world.alone = False
        world.now += 10_000
        self.first, self.second = world.new_dispatcher(), world.new_dispatcher()
        self.dead: set[int] = set()
        self.stopped: set[int] = set()
        self.unheard: dict[int, list[SchedulerMessage]] = {}
        self.running: tuple[tuple[str, int, str], ...] = ()
        self.silent = False
        self.steps = 0
        self.pass_time(2_000)
        assert self.acting == [self.first]

    @property
    def schedulers(self) -> list[Dispatcher]:
        both = [self.first, self.second]
        return [each for each in both if id(each) not in self.dead | self.stopped]

    @property
    def acting(self) -> list[Dispatcher]:
        now = self.world.now
        return [each for each in (self.first, self.second) if each._leadership.active(now)]

    def kill(self, scheduler: Dispatcher) -> None:
        self.dead.add(id(scheduler))

    def stop(self, scheduler: Dispatcher) -> None:
        self.stopped.add(id(scheduler))
        self.unheard[id(scheduler)] = []

    def go_on(self, scheduler: Dispatcher) -> None:
        self.stopped.remove(id(scheduler))
        scheduler.receive(self.unheard.pop(id(scheduler)))
        scheduler.tick()

    def say(self, *messages: SchedulerMessage) -> None:
        for each in self.schedulers:
            each.receive(messages)
        for waiting in self.unheard.values():
            waiting += messages

    def heartbeat(self, kind: type[Hello] | type[Heartbeat] = Heartbeat, **values: Any) -> None:
        self.say(kind(state=node_state(**{"running": self.running, **values})))

    def pass_time(self, milliseconds: int) -> None:
        for _ in range(milliseconds // STEP_MS):
            self.world.now += STEP_MS
            self.steps += 1
            if not self.silent and self.steps % BEAT_STEPS == 0:
                self.heartbeat()
            for each in self.schedulers:
                each.tick()

    def until_second_acts(self) -> int:
        """Return the milliseconds until the second one acts."""
        began = self.world.now
        while self.second not in self.acting:
            self.pass_time(STEP_MS)
            assert self.world.now - began < 60_000
        return self.world.now - began

    def jobs(self) -> list[tuple[str, int, int]]:
        """Return request, attempt and epoch of each job that was sent."""
        return [(each.request_id, each.attempt, each.epoch) for each in self.world.to_nodes]

    def run(self, *names: str) -> None:
        """Have the node say that it runs first attempts of requests."""
        self.running = tuple((name, 1, "f") for name in names)

    def end(self, name: str) -> None:
        """Have the node end what it runs, and the collector settle it."""
        (job,) = (each for each in self.world.to_nodes if each.request_id == name)
        self.world.collector.receive([self.world.result(job)])
        claim = {"node": "n", "instance": "i", "request_id": name, "attempt": job.attempt}
        self.say(Ended(**claim), Done(**claim))
        self.running = tuple(each for each in self.running if each[0] != name)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    world = World(tmp_path)
    yield Pair(world)
    world.store.close()


def test_one_that_stands_by_holds_nothing_but_what_nodes_say(pair: Pair) -> None:
    pair.world.function()
    pair.world.now += 1
    call = Submitted(request=pair.world._request("c", reply_to="api"), input=BODY, recorded=False)
    pair.say(Submitted(request=pair.world.request(), input=BODY), call)
    pair.say(Cancel(request_id="none"), Cancel(function_id="none"))
    assert [job[:2] for job in pair.jobs()] == [("r", 1), ("c", 1)]
    pair.run("r", "c")
    pair.pass_time(1_000)
    second = pair.second
    assert (len(second._window), second._doubtful, second._cancels) == (0, [], [])
    assert (second._calls._out, second._functions._functions.keys() - {"f"}) == ({}, set())
    assert second._nodes.runs_of("f") == 2  # and that it knows
    pair.end("r")
    assert second._nodes.runs_of("f") == 1
    assert pair.world.status() == (Status.SUCCESS, None)


def test_it_writes_no_entries_of_nodes(pair: Pair) -> None:
    """Whoever acts does: two would write each twice."""
    written: list[tuple[int, str]] = []
    for number, each in enumerate((pair.first, pair.second)):
        put = each._roster.saw
        each._roster.saw = (  # type: ignore[method-assign]
            lambda state, now, number=number, put=put: (
                written.append((number, state.node)),
                put(state, now),
            )[1]
        )
    pair.pass_time(2_000)
    assert set(written) == {(0, "n")}


def test_it_takes_over_as_soon_as_the_lease_ends(pair: Pair) -> None:
    """It knows what the node runs, so it need not wait for that to be said again."""
    pair.world.function()
    pair.world.request("runs")
    pair.pass_time(1_000)
    pair.run("runs")
    pair.pass_time(1_000)
    pair.kill(pair.first)
    pair.world.request("waits")
    assert pair.until_second_acts() <= LEASE_MS + 2 * STEP_MS
    pair.pass_time(STEP_MS)
    assert [job[:2] for job in pair.jobs()] == [("runs", 1), ("waits", 1)]
    assert pair.jobs()[1][2] == pair.jobs()[0][2] + 1
    pair.run("runs", "waits")
    pair.pass_time(8_000)
    pair.end("runs")
    pair.end("waits")
    pair.pass_time(8_000)
    assert len(pair.jobs()) == 2
    assert [len(pair.world.stored(each).attempts) for each in ("runs", "waits")] == [1, 1]


def test_one_that_ends_on_purpose_is_replaced_sooner(pair: Pair) -> None:
    pair.first._leadership.release(pair.world.now)
    pair.kill(pair.first)
    assert pair.until_second_acts() <= LEASE_MS // 2 + 2 * STEP_MS


def test_a_node_that_was_not_heard_lately_is_waited_for(pair: Pair) -> None:
    pair.world.function()
    pair.kill(pair.first)
    pair.pass_time(2_000)
    pair.silent = True
    pair.world.request()
    while not pair.second._leadership.holds(pair.world.now):
        pair.pass_time(STEP_MS)
    pair.pass_time(2 * STEP_MS)
    assert pair.jobs() == []
    pair.run("r")  # the first one sent it in its last moment, and came no further
    pair.heartbeat()
    pair.pass_time(1_000)
    assert pair.jobs() == []
    assert (pair.world.stored().status, pair.world.stored().attempt) == (Status.RUNNING, 1)


def test_a_node_that_is_gone_is_not_waited_for(pair: Pair) -> None:
    """Its entry may stay in the list for a day."""
    pair.heartbeat(node="gone", instance="j")
    pair.pass_time(12_000)
    assert "gone" in {each.daemon_id for each in pair.world.store.list_daemons()}
    pair.heartbeat(node="left", instance="k")
    pair.say(Bye(node="left", instance="k"))
    pair.kill(pair.first)
    assert pair.until_second_acts() <= LEASE_MS + 2 * STEP_MS


def test_a_new_one_waits_for_all_nodes_that_are_listed(pair: Pair) -> None:
    """The control of the test before: it has not listened for long, so it knows of none."""
    pair.world.function()
    pair.kill(pair.first)
    pair.kill(pair.second)
    pair.world.now += 10_000
    pair.world.request()
    third = pair.world.new_dispatcher()
    third.tick()
    assert not third._leadership.active(pair.world.now)
    pair.world.now += 1_900
    third.tick()
    assert pair.jobs() == []
    pair.world.now += 100
    third.tick()
    assert third._leadership.active(pair.world.now)


def test_one_that_was_stopped_past_its_lease_does_nothing_when_it_goes_on(pair: Pair) -> None:
    pair.world.function()
    pair.heartbeat(slots=1)
    pair.world.request("runs")
    pair.world.request("waits")
    pair.pass_time(STEP_MS)
    pair.run("runs")
    pair.stop(pair.first)
    pair.until_second_acts()
    pair.heartbeat(slots=8)
    hint = Submitted(request=pair.world.request("later"), input=BODY)
    call = Submitted(request=pair.world._request("c", reply_to="api"), input=BODY, recorded=False)
    pair.say(hint, call)
    pair.pass_time(1_000)
    sent = pair.jobs()
    assert sorted(job[0] for job in sent) == ["c", "later", "runs", "waits"]
    pair.go_on(pair.first)
    assert pair.jobs() == sent
    assert (len(pair.first._window), pair.first._calls._out) == (0, {})
    assert pair.acting == [pair.second]
    pair.run("runs", "waits", "later", "c")
    pair.pass_time(8_000)
    for name in ("runs", "waits", "later", "c"):
        pair.end(name)
    pair.pass_time(8_000)
    assert pair.jobs() == sent
    for name in ("runs", "waits", "later"):
        assert (pair.world.status(name), pair.world.stored(name).attempt) == (
            (Status.SUCCESS, None),
            1,
        )


def test_it_acts_again_when_the_other_one_dies(pair: Pair) -> None:
    pair.world.function()
    pair.stop(pair.first)
    pair.until_second_acts()
    pair.go_on(pair.first)
    pair.pass_time(1_000)
    pair.kill(pair.second)
    pair.world.request()
    pair.pass_time(LEASE_MS + 1_000)
    assert pair.acting == [pair.first]
    assert [job[:2] for job in pair.jobs()] == [("r", 1)]
    assert pair.jobs()[0][2] == pair.second._leadership.epoch + 1


@pytest.mark.parametrize("arrived", [True, False])
def test_what_was_sent_and_not_recorded_is_run_once(pair: Pair, arrived: bool) -> None:
    """Whether the node got it or not; the first one then stands still, and goes on."""
    pair.world.function()
    pair.world.request()
    pair.world.store.away = True
    with pytest.raises(StoreUnavailableError):
        pair.pass_time(1_000)
    pair.world.store.away = False
    assert [job[:2] for job in pair.jobs()] == [("r", 1)]
    if arrived:
        pair.run("r")
    pair.stop(pair.first)
    pair.until_second_acts()
    pair.pass_time(1_000)
    assert len(pair.jobs()) == (1 if arrived else 2)
    pair.go_on(pair.first)
    pair.run("r")
    pair.pass_time(8_000)
    assert pair.world.stored().node == "n"
    pair.world.collector.receive([pair.world.result(pair.world.to_nodes[-1])])
    pair.pass_time(8_000)
    assert len(pair.jobs()) == (1 if arrived else 2)
    assert (pair.world.status(), pair.world.stored().attempt) == ((Status.SUCCESS, None), 1)


def test_a_call_that_another_may_have_had_is_not_run_again(pair: Pair) -> None:
    """It waited in the socket of an API process until this scheduler was started again."""
    pair.world.function()
    pair.world.now += 1
    call = Submitted(request=pair.world._request("c", reply_to="api"), input=BODY, recorded=False)
    pair.second.receive([call])
    pair.kill(pair.first)
    pair.until_second_acts()
    pair.say(call)
    assert pair.jobs() == []
    pair.say(
        Submitted(request=pair.world._request("d", reply_to="api"), input=BODY, recorded=False)
    )
    assert [job[:2] for job in pair.jobs()] == [("d", 1)]


# Clocks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    made = SQLiteStore(tmp_path / "store.sqlite")
    made.create_schema()
    yield made
    made.close()


def acted_together(store: SQLiteStore, ahead: int, stop_at: int) -> tuple[int, int]:
    """Run two whose clocks differ, one of which stops: for how long both acted, and neither."""
    first, second = (
        Leadership(store, name, lease_ms=LEASE_MS, settle_ms=2_000) for name in ("a", "b")
    )
    both = neither = 0
    for now in range(1_000_000, 1_030_000, 50):
        if now % STEP_MS == 0 and now < stop_at:
            first.renew(now)
        if now % STEP_MS == 0:
            second.renew(now + ahead)
        acting = first.active(now), second.active(now + ahead)
        both += 50 * all(acting)
        neither += 50 * (not any(acting))
    return both, neither


@pytest.mark.parametrize("stop_at", [1_004_000, 1_004_250, 1_007_500])
@pytest.mark.parametrize("ahead", [-LEASE_MS // 4, -1_000, 0, 1_000, LEASE_MS // 4])
def test_two_do_not_act_at_a_time_while_clocks_differ_by_a_quarter(
    store: SQLiteStore, ahead: int, stop_at: int
) -> None:
    both, neither = acted_together(store, ahead, stop_at)
    assert both == 0
    assert 0 < neither <= LEASE_MS + abs(ahead) + STEP_MS


def test_two_act_at_a_time_where_clocks_differ_by_more_than_half(store: SQLiteStore) -> None:
    """What the bound is there for: one is ahead by more than the other's silence."""
    both, _ = acted_together(store, LEASE_MS, 1_030_000)
    assert both > 0


def test_after_its_clock_was_set_back_nobody_acts_by_an_old_lease(store: SQLiteStore) -> None:
    leadership = Leadership(store, "a", lease_ms=LEASE_MS, settle_ms=0)
    leadership.renew(1_000_000)
    assert leadership.active(1_000_000)
    assert not leadership.active(900_000)
    leadership.renew(900_000)
    assert leadership.active(900_000)


class Slow:
    """A store that takes its time for inputs."""

    def __init__(self, store: Any, wait: Callable[[], None]) -> None:
        self._store = store
        self._wait = wait

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get_input(self, request_id: str) -> Any:
        self._wait()
        return self._store.get_input(request_id)


def test_what_was_read_too_slowly_is_not_sent(pair: Pair) -> None:
    """Another may act by then. The control: what is read in time is sent."""
    world = pair.world
    world.function()
    world.request("r1")
    pair.pass_time(1_000)
    assert [job[0] for job in world.jobs] == ["r1"]

    def wait() -> None:
        world.now += LEASE_MS

    pair.first._placement._store = Slow(world.store, wait)
    world.request("r2")
    pair.first.tick()
    assert [job[0] for job in world.jobs] == ["r1"]
    assert world.stored("r2").status is Status.QUEUED
