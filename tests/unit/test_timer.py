"""Timers: each tick once, whoever fires it, and whatever clocks and settings do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from pratai_agent.sources import timer as pure
from pratai_agent.timers import MARK
from pratai_agent.timetable import Timetable
from pratai_common import limits
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Subscription
from pratai_common.store.base import Created, NewRequest, Page, RequestFilter
from tests.unit.timer_world import HOUR_MS, TimerWorld, timer

DAY_MS = 24 * HOUR_MS
LATE = limits.ON_TIME_MS


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TimerWorld]:
    made = TimerWorld(tmp_path)
    made.store.create_subscription(timer())
    yield made
    made.store.close()


# Which ticks there are


@pytest.mark.parametrize("now", [10_000, 9_999, 5_500, 0])
def test_nothing_is_due_before_the_first_interval_is_over(now: int) -> None:
    """The agent's clock may be behind that of the API, which set the start."""
    assert pure.next_due(timer(), now) == 11_000
    assert pure.due(timer(), now, 10_999) == []
    assert pure.due(timer(), now, 11_000) == [11_000]


def test_ticks_are_numbered_from_their_start() -> None:
    old = replace(timer(), since=None)
    assert [pure.number(old, each) for each in pure.due(old, 0, 13_500)] == [1, 2, 3]
    assert pure.number(timer(frequency_ms=None, cron="* * * * *"), 60_000) is None


def test_no_interval_is_never_due() -> None:
    for frequency in (None, 0):
        odd = timer(frequency_ms=frequency)
        assert pure.next_due(odd, 0) is None
        assert pure.due(odd, 0, 99_000) == []


@pytest.mark.parametrize("kind", ["interval", "cron"])
def test_what_nobody_fired_in_time_is_as_the_timer_says(kind: str) -> None:
    minutes = (
        {"frequency_ms": 60_000, "since": 0}
        if kind == "interval"
        else {"frequency_ms": None, "cron": "* * * * *", "since": 0}
    )
    after, now = 60_000, 300 * 60_000 + LATE
    on_time = [300 * 60_000]
    missed = [each * 60_000 for each in range(2, 300)]
    assert pure.due(timer(misfire="skip", **minutes), after, now) == on_time
    assert pure.due(timer(misfire="once", **minutes), after, now) == missed[-1:] + on_time
    assert pure.due(timer(misfire="all", **minutes), after, now) == missed[-100:] + on_time
    few = pure.due(timer(misfire="all", **minutes), now - 5 * 60_000, now)
    assert few == missed[-4:] + on_time


def test_a_tick_that_is_ten_seconds_late_is_on_time_and_no_later_one() -> None:
    skipping = timer(frequency_ms=DAY_MS, since=0, misfire="skip")
    assert pure.due(skipping, 0, DAY_MS + LATE) == [DAY_MS]
    assert pure.due(skipping, 0, DAY_MS + LATE + 1) == []


def test_what_came_due_since_an_agent_looked_is_on_time() -> None:
    skipping = timer(misfire="skip")
    assert pure.due(skipping, 0, 60_000, 58_000) == list(range(50_000, 60_001, 1000))
    assert pure.due(skipping, 0, 60_000, 30_000) == list(range(31_000, 60_001, 1000))
    once = replace(skipping, misfire="once")
    assert pure.due(once, 0, 60_000, 30_000) == list(range(30_000, 60_001, 1000))


def test_a_table_gives_what_is_due_and_forgets_what_was_changed() -> None:
    table = Timetable()
    table.put(timer("b", frequency_ms=2000), 0)
    table.put(timer("a"), 0)
    table.put(timer("never", frequency_ms=None), 0)
    assert table.next_due() == 11_000
    assert table.has(timer("a"))
    assert not table.has(timer("a", updated_at=5))
    assert not table.has(timer("never", frequency_ms=None))
    table.put(timer("a", frequency_ms=5000), 0)
    assert table.take(11_999) == []
    taken = table.take(12_000)
    assert [(each.subscription_id, each.due_at) for each in taken] == [("b", 12_000)]
    table.give_back(taken)
    assert [each.subscription_id for each in table.take(15_000)] == ["b", "a"]
    assert table.next_due() is None


def test_projects_take_turns() -> None:
    table = Timetable()
    for number in range(4):
        table.put(timer(f"a{number}", since=number), 0)
    table.put(timer("b0", since=8, project_id="q"), 0)
    table.put(timer("b1", since=9, project_id="q"), 0)
    table.put(timer("c0", since=7, project_id="r"), 0)
    taken = [each.subscription_id for each in table.take(5000)]
    assert taken == ["a0", "c0", "b0", "a1", "b1", "a2", "a3"]


def test_a_table_does_not_grow_with_changes() -> None:
    table = Timetable()
    for change in range(10_000):
        table.put(timer(updated_at=change), change)
        table.next_due()
    assert len(table) == 1
    assert len(table._heap) < 1100


# An agent


def test_a_tick_tells_its_function_which_it_is(world: TimerWorld) -> None:
    world.store.create_subscription(timer("c", frequency_ms=None, cron="* * * * *"))
    world.at(60_000, world.agent())
    found = world.store.list_requests("p", RequestFilter(source="timer"), Page(100))
    by_id = {each.event["id"]: each for each in found if each.event is not None}
    assert by_id["s/60000"].event == {
        "specversion": "1.0",
        "id": "s/60000",
        "source": "/v1/functions/f1/subscriptions",
        "type": "pratai.timer",
        "time": "1970-01-01T00:01:00.000Z",
        "datacontenttype": "application/json",
    }
    bodies = [world.store.get_input(by_id[name].request_id) for name in ("s/60000", "c/60000")]
    assert [msgspec.json.decode((body and body.content) or b"") for body in bodies] == [
        {"subscription_id": "s", "tick": 50, "due_at": "1970-01-01T00:01:00.000Z"},
        {"subscription_id": "c", "due_at": "1970-01-01T00:01:00.000Z"},
    ]


def test_two_agents_fire_each_tick_once(world: TimerWorld) -> None:
    """Their clocks differ, and one of them is started anew in between."""
    agents = [world.agent(), world.agent(ahead=300)]
    for now in range(10_250, 15_001, 250):
        if now == 12_500:
            agents[0] = world.agent()
        world.at(now, *agents)
    assert world.recorded() == [11_000, 12_000, 13_000, 14_000, 15_000]
    assert len(world.sent) == 5


def test_it_waits_for_the_next_tick_and_looks_each_second_for_changes(world: TimerWorld) -> None:
    agent = world.agent()
    assert agent.pause() == 0.0
    world.at(10_300, agent)
    assert agent.pause() == 0.7
    world.at(11_000, agent)
    world.store.create_subscription(timer("t", frequency_ms=100, since=11_000, created_at=11_000))
    world.at(11_250, agent)
    assert world.recorded("t") == []
    assert agent.pause() == 0.05
    world.at(11_300, agent)
    assert world.recorded("t") == [11_100, 11_200, 11_300]
    assert agent.pause() == 0.1


def test_a_tick_is_fired_once_though_the_clock_is_set_back(world: TimerWorld) -> None:
    agent = world.agent()
    for now in (11_000, 12_000, 13_000, 11_500, 12_500, 13_500, 14_000):
        world.at(now, agent)
    assert world.recorded() == [11_000, 12_000, 13_000, 14_000]
    assert len(world.sent) == 4


def test_a_clock_that_was_hours_ahead_loses_no_tick(world: TimerWorld) -> None:
    agent = world.agent()
    world.at(11_000, agent)
    world.at(11_000 + 3 * HOUR_MS, agent)
    world.at(13_500, agent)
    assert world.recorded()[:3] == [11_000, 12_000, 13_000]
    started_anew = world.agent()
    world.at(15_000, started_anew)
    assert world.recorded()[:5] == [11_000, 12_000, 13_000, 14_000, 15_000]


def test_a_disabled_function_has_no_ticks(world: TimerWorld) -> None:
    agent = world.agent()
    for now, enabled in ((11_000, True), (12_000, False), (13_400, False), (13_600, True)):
        world.store.change_function("f1", lambda old, on=enabled: replace(old, enabled=on))  # type: ignore[misc]
        world.at(now, agent)
    assert world.recorded() == [11_000]
    world.at(14_000, agent)
    assert world.recorded() == [11_000, 14_000]


def test_a_deleted_function_has_no_ticks(world: TimerWorld) -> None:
    agent = world.agent()
    world.at(11_000, agent)
    world.store.change_function("f1", lambda old: replace(old, deleted_at=11_500))
    world.at(12_000, agent)
    assert world.recorded() == [11_000]


def test_a_timer_is_fired_as_it_is_when_it_is_due(world: TimerWorld) -> None:
    """The agent does not look for changes between these."""
    agent = world.agent()
    world.at(11_000, agent)
    change(world, frequency_ms=300, since=11_200, updated_at=11_200)
    world.at(11_990, agent)
    assert world.recorded() == [11_000]
    world.at(12_000, agent)
    assert world.recorded() == [11_000, 11_500, 11_800]
    change(world, enabled=False, updated_at=12_050)
    world.at(12_100, agent)
    change(world, enabled=True, since=13_000, updated_at=13_000)
    world.at(13_300, agent)
    world.store.delete_subscription("s")
    world.at(13_600, agent)
    assert world.recorded() == [11_000, 11_500, 11_800, 13_300]


def change(world: TimerWorld, **values: object) -> None:
    def apply(old: Subscription) -> Subscription:
        return replace(old, **values)

    world.store.change_subscription("s", apply)


def test_what_is_gone_from_the_lists_is_forgotten(world: TimerWorld) -> None:
    world.store.create_subscription(timer("yearly", frequency_ms=365 * DAY_MS))
    agent = world.agent()
    world.at(11_000, agent)
    assert len(agent._timetable) == 2
    world.store.delete_subscription("yearly")
    world.at(11_000 + HOUR_MS, agent)
    assert len(agent._timetable) == 1


def test_what_cannot_be_read_holds_nothing_up(
    world: TimerWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.store.create_subscription(timer("odd", frequency_ms=None, cron="x", timezone="y"))
    world.at(11_000, world.agent())
    assert world.recorded() == [11_000]
    assert "subscription odd has no ticks: " in caplog.text


def test_at_a_start_nothing_is_fired_that_is_a_day_old(world: TimerWorld) -> None:
    """Without a mark it may have been fired so long ago that its record is deleted."""
    change(world, frequency_ms=30 * DAY_MS)
    due_at = 10_000 + 30 * DAY_MS
    world.at(due_at + DAY_MS, world.agent())
    assert world.recorded() == []


def test_at_a_start_what_is_missed_is_fired_however_old_it_is(world: TimerWorld) -> None:
    change(world, frequency_ms=30 * DAY_MS)
    due_at = 10_000 + 30 * DAY_MS
    world.store.put_mark(MARK, due_at - 1)
    world.at(due_at + 8 * DAY_MS, world.agent())
    assert world.recorded() == [due_at]


def test_what_was_fired_long_ago_is_not_fired_again_at_a_start(world: TimerWorld) -> None:
    """Its request may have been deleted meanwhile."""
    change(world, frequency_ms=30 * DAY_MS)
    due_at = 10_000 + 30 * DAY_MS
    world.store.put_mark(MARK, due_at + 1000)
    world.at(due_at + 8 * DAY_MS, world.agent())
    assert world.recorded() == []


def test_a_start_goes_on_where_the_mark_is(world: TimerWorld) -> None:
    change(world, misfire="all")
    world.at(12_000, world.agent())
    assert world.store.get_mark(MARK) == 12_000
    world.at(52_000, world.agent())
    assert world.recorded() == list(range(11_000, 52_001, 1000))
    assert world.store.get_mark(MARK) == 52_000


def test_a_timer_made_just_before_the_agent_died_loses_no_tick(world: TimerWorld) -> None:
    agent = world.agent()
    world.at(11_000, agent)
    soon = timer("soon", frequency_ms=100, since=11_050, created_at=11_050)
    world.store.create_subscription(soon)
    world.at(11_200, agent)  # it does not look for changes yet
    world.store.put_mark(MARK, 11_200)
    world.at(12_000, world.agent())
    assert world.recorded("soon")[:2] == [11_150, 11_250]


def test_the_mark_is_written_once_a_minute_where_nothing_happens(world: TimerWorld) -> None:
    world.store.delete_subscription("s")
    agent = world.agent()
    marks = []
    for now in range(100_000, 300_000, 500):
        world.at(now, agent)
        marks.append(world.store.get_mark(MARK))
    assert sorted(set(marks)) == [100_000, 160_000, 220_000, 280_000]


def test_an_agent_catches_up_when_the_store_is_back(world: TimerWorld) -> None:
    agent = world.agent()
    create = world.store.create_requests
    world.store.create_requests = _away  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreUnavailableError):
        world.at(11_000, agent)
    world.store.create_requests = create  # type: ignore[method-assign]
    world.at(11_500, agent, agent)
    assert world.recorded() == [11_000]
    assert len(world.sent) == 1


def _away(*_: object) -> None:
    raise StoreUnavailableError("away")


def test_ticks_that_waited_for_those_of_others_are_not_missed(world: TimerWorld) -> None:
    change(world, misfire="skip")
    agent = world.agent()
    world.at(11_000, agent)
    create = world.store.create_requests

    def slow(new: Sequence[NewRequest]) -> list[Created]:
        world.now += 30_000
        return create(new)

    world.store.create_requests = slow  # type: ignore[method-assign]
    world.at(12_000, agent)
    world.at(world.now + LATE, agent)
    world.store.create_requests = create  # type: ignore[method-assign]
    world.at(world.now + 1000, agent)
    assert world.now == 12_000 + 30_000 + LATE + 30_000 + 1000
    assert world.recorded() == list(range(11_000, world.now + 1, 1000))


def test_ticks_that_an_agent_was_not_there_for_are_missed(world: TimerWorld) -> None:
    change(world, misfire="skip")
    agent = world.agent()
    world.at(11_000, agent)
    world.at(11_000 + LATE + 2000, agent)
    assert world.recorded() == [11_000, *range(13_000, 23_001, 1000)]


def test_ticks_of_a_time_without_a_store_are_missed(
    world: TimerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(world, misfire="skip")
    agent = world.agent()
    world.at(11_000, agent)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "get_subscriptions", _away)
        for now in range(12_000, 41_000, 1000):
            with pytest.raises(StoreUnavailableError):
                world.at(now, agent)
    world.at(41_000, agent)
    assert world.recorded() == [11_000, *range(31_000, 41_001, 1000)]


def test_a_timer_that_cannot_be_fired_holds_no_other_up(
    world: TimerWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("odd", "t"):
        world.store.create_subscription(timer(name))
    due = pure.due

    def failing(subscription: Subscription, *moments: int) -> list[int]:
        if subscription.subscription_id == "odd":
            raise ZeroDivisionError
        return due(subscription, *moments)

    agent = world.agent()
    with monkeypatch.context() as patch:
        patch.setattr(pure, "due", failing)
        world.at(11_000, agent)
    assert "subscription odd cannot be fired" in caplog.text
    assert [world.recorded(name) for name in ("odd", "s", "t")] == [[], [11_000], [11_000]]
    world.at(12_000, agent)
    assert world.recorded("odd") == [12_000]


def test_a_tick_that_cannot_be_recorded_holds_no_other_up(
    world: TimerWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("odd", "t"):
        world.store.create_subscription(timer(name))
    create = world.store.create_requests

    def refusing(new: Sequence[NewRequest]) -> list[Created]:
        if any((each.request.event or {})["id"] == "odd/11000" for each in new):
            raise ZeroDivisionError
        return create(new)

    monkeypatch.setattr(world.store, "create_requests", refusing)
    agent = world.agent()
    world.at(11_000, agent)
    assert "tick odd/11000 could not be recorded" in caplog.text
    assert [world.recorded(name) for name in ("odd", "s", "t")] == [[], [11_000], [11_000]]
    world.at(12_000, agent)
    assert world.recorded("odd") == [12_000]


def test_what_fails_as_a_whole_is_due_again(
    world: TimerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = world.agent()
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "get_functions", lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            world.at(11_000, agent)
    world.at(11_500, agent)
    assert world.recorded() == [11_000]


def test_many_that_are_due_at_once_are_all_fired(world: TimerWorld) -> None:
    for number in range(510):
        world.store.create_subscription(timer(f"t{number}", frequency_ms=50_000))
    world.at(60_000, world.agent())
    found = world.store.list_requests("p", RequestFilter(source="timer"), Page(10_000))
    assert len(found) == 510 + len(world.recorded())


def test_ticks_that_come_due_within_a_moment_are_fired_together(world: TimerWorld) -> None:
    world.store.create_subscription(timer("t", since=10_020))
    agent = world.agent()
    world.at(11_000, agent)
    assert (world.recorded("s"), world.recorded("t")) == ([11_000], [])
    assert agent.pause() == 0.05
    world.at(11_050, agent)
    assert world.recorded("t") == [11_020]
