"""Timers: each tick once, whoever fires it, and whatever clocks and settings do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_agent.agent import Agent
from pratai_agent.sources.timer import Timer
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Subscription
from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from tests.archives import in_folder
from tests.records import function

SUBSCRIPTION = Subscription(
    subscription_id="s",
    function_id="f1",
    project_id="p",
    user_id="u",
    kind="timer",
    frequency_ms=1000,
    since=10_000,
    created_at=10_000,
)


def fire(timer: Timer, now: int, *subscriptions: Subscription) -> list[int]:
    """Fire what is due; returns when it was due."""
    due = timer.due(subscriptions or [SUBSCRIPTION], now)
    for tick in due:
        timer.fired(tick)
    return [tick.due_at for tick in due]


@pytest.mark.parametrize("now", [10_000, 9_999, 9_000, 5_500, 0])
def test_nothing_is_due_before_the_first_interval_is_over(now: int) -> None:
    """The agent's clock may be behind that of the API, which set the start."""
    assert fire(Timer(), now) == []
    assert fire(Timer(), 10_999) == []
    assert fire(Timer(), 11_000) == [11_000]


def test_a_clock_that_was_set_back_stops_no_timer() -> None:
    timer = Timer()
    assert fire(timer, 3_600_000) == [3_600_000]
    assert fire(timer, 20_100) == [20_000]
    assert fire(timer, 20_900) == []
    assert fire(timer, 21_000) == [21_000]


def test_what_came_while_it_was_switched_off_is_not_fired() -> None:
    timer = Timer()
    other = replace(SUBSCRIPTION, subscription_id="other", frequency_ms=10**9)
    assert fire(timer, 11_000, SUBSCRIPTION, other) == [11_000]
    for now in (11_500, 14_500):
        assert fire(timer, now, other) == []
    assert fire(timer, 14_900, SUBSCRIPTION, other) == []
    assert fire(timer, 15_000, SUBSCRIPTION, other) == [15_000]


def test_a_tick_right_after_it_was_switched_on_is_fired() -> None:
    timer = Timer()
    assert fire(timer, 11_000) == [11_000]
    assert timer.due([], 14_900) == []
    assert fire(timer, 15_100) == [15_000]


def test_a_new_one_is_fired_though_the_agent_was_stopped_meanwhile() -> None:
    timer = Timer()
    assert timer.due([], 9_000) == []
    assert fire(timer, 14_500) == [14_000]


def test_a_changed_interval_counts_from_its_change() -> None:
    timer = Timer()
    assert fire(timer, 12_100) == [12_000]
    changed = replace(SUBSCRIPTION, frequency_ms=700, since=12_300)
    assert fire(timer, 12_900, changed) == []
    assert fire(timer, 13_000, changed) == [13_000]
    assert fire(timer, 13_700, changed) == [13_700]


DAY_MS = 24 * 60 * 60 * 1000


def test_at_a_start_nothing_is_fired_that_is_a_day_old() -> None:
    """It may have been fired so long ago that its record is deleted."""
    monthly = replace(SUBSCRIPTION, frequency_ms=30 * DAY_MS)
    due_at = 10_000 + 30 * DAY_MS
    assert fire(Timer(), due_at + DAY_MS - 1, monthly) == [due_at]
    late = Timer()
    for after in (DAY_MS, DAY_MS + 1000, 8 * DAY_MS):
        assert fire(late, due_at + after, monthly) == []
    assert fire(late, due_at + 30 * DAY_MS, monthly) == [due_at + 30 * DAY_MS]


def test_no_interval_is_never_due() -> None:
    for frequency in (None, 0):
        odd = replace(SUBSCRIPTION, frequency_ms=frequency)
        assert fire(Timer(), 99_000, odd) == []


class Platform:
    """A store, and agents with clocks of their own."""

    def __init__(self, folder: Path) -> None:
        self.store = SQLiteStore(folder / "store.sqlite")
        self.store.create_schema()
        self.store.create_function(function())
        self.store.create_subscription(SUBSCRIPTION)
        self.archives = in_folder(folder / "archives")
        self.now = 10_000
        self.sent: list[object] = []

    def agent(self, ahead: int = 0) -> Agent:
        def clock() -> int:
            return self.now + ahead

        submitter = Submitter(self.store, self.archives, self.sent.append, clock)
        return Agent(self.store, submitter, clock)

    def due(self) -> list[int]:
        """Return the ticks that became requests, in order."""
        found = self.store.list_requests("p", RequestFilter(source="timer"), Page(1000))
        payloads = [self.store.get_input(each.request_id) for each in found]
        assert all(payload is not None for payload in payloads)
        events: list[Any] = [each.event for each in found]
        return sorted(int(each["id"].split("/")[1]) for each in events)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    made = Platform(tmp_path)
    yield made
    made.store.close()


def test_two_agents_fire_each_tick_once(platform: Platform) -> None:
    """Their clocks differ, and one of them is started anew in between."""
    agents = [platform.agent(), platform.agent(ahead=300)]
    while platform.now < 15_000:
        platform.now += 250
        if platform.now == 12_500:
            agents[0] = platform.agent()
        for agent in agents:
            agent.tick()
    assert platform.due() == [11_000, 12_000, 13_000, 14_000, 15_000]
    assert len(platform.sent) == 5


def test_a_tick_is_fired_once_though_the_clock_is_set_back(platform: Platform) -> None:
    agent = platform.agent()
    for now in (11_000, 12_000, 13_000, 11_500, 12_500, 13_500, 14_000):
        platform.now = now
        agent.tick()
    assert platform.due() == [11_000, 12_000, 13_000, 14_000]
    assert len(platform.sent) == 4


def test_a_disabled_function_has_no_ticks(platform: Platform) -> None:
    agent = platform.agent()
    for now, enabled in ((11_000, True), (12_000, False), (13_400, False), (13_600, True)):
        platform.store.change_function("f1", lambda old, on=enabled: replace(old, enabled=on))  # type: ignore[misc]
        platform.now = now
        agent.tick()
    assert platform.due() == [11_000]
    platform.now = 14_000
    agent.tick()
    assert platform.due() == [11_000, 14_000]


def test_an_agent_catches_up_when_the_store_is_back(platform: Platform) -> None:
    agent = platform.agent()
    create = platform.store.create_requests
    platform.store.create_requests = _away  # type: ignore[method-assign,assignment]
    platform.now = 11_000
    with pytest.raises(StoreUnavailableError):
        agent.tick()
    platform.store.create_requests = create  # type: ignore[method-assign]
    platform.now = 11_500
    agent.tick()
    agent.tick()
    assert platform.due() == [11_000]
    assert len(platform.sent) == 1


def _away(*_: object) -> None:
    raise StoreUnavailableError("away")
