"""Whatever befalls agents, clocks, the store and timers: each tick is fired once, or as the timer
says. What is recorded is compared with what follows from when agents looked, and from nothing else.

PRATAI_TIMER_HISTORIES says how many histories are gone through.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pratai_agent.timers import Timers
from pratai_common import limits
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Subscription
from pratai_common.store.base import Store
from tests.unit.timer_world import Flaky, TimerWorld, timer

START = 1_800_000_000_000
MINUTE_MS = 60_000
SETTLED_MS = 3000
"""A change that is older is known to every agent: it looks each second, and clocks differ."""

SCHEDULES: tuple[dict[str, Any], ...] = (
    {"frequency_ms": 61_000},
    {"frequency_ms": 7 * MINUTE_MS + 1},
    {"frequency_ms": None, "cron": "*/2 * * * *"},
    {"frequency_ms": None, "cron": "7 * * * *"},
)


def ticks(subscription: Subscription, until: int) -> Iterable[int]:
    """Return all ticks until a moment, by looking at every one, or at every minute."""
    since = subscription.since or 0
    if subscription.frequency_ms:
        return range(since + subscription.frequency_ms, until + 1, subscription.frequency_ms)
    minutes = range(since // MINUTE_MS + 1, until // MINUTE_MS + 1)
    every = {"*/2 * * * *": lambda each: each % 2 == 0, "7 * * * *": lambda each: each % 60 == 7}
    return [each * MINUTE_MS for each in minutes if every[str(subscription.cron)](each)]


def on_time(subscription: Subscription, now: int) -> set[int]:
    """Return which ticks a look at this time must find, or make, recorded, whatever was before."""
    return {each for each in ticks(subscription, now) if each >= now - limits.ON_TIME_MS}


def missed(subscription: Subscription, now: int) -> set[int]:
    """Return which others it must, where all looks before were at earlier times."""
    found = [each for each in ticks(subscription, now) if each < now - limits.ON_TIME_MS]
    most = {"skip": 0, "once": 1, "all": limits.MAX_MISSED_TICKS}[subscription.misfire]
    return set(found[-most:] if most else [])


def named(
    which: Callable[[Subscription, int], set[int]], subscriptions: list[Subscription], now: int
) -> set[tuple[str, int]]:
    return {(each.subscription_id, tick) for each in subscriptions for tick in which(each, now)}


class History:
    """Two agents, timers, and what must, and what may, be recorded in the end."""

    def __init__(self, folder: Path, draw: st.DataObject) -> None:
        self.world = TimerWorld(folder, START)
        self.draw = draw
        self.fails = False
        flaky = Flaky(self.world.store, lambda: self.fails and draw.draw(st.integers(0, 5)) == 0)
        self.store = cast(Store, flaky)
        self.timers: dict[str, Subscription] = {}
        self.agents = [self.new_agent(0), self.new_agent(1)]
        self.must: set[tuple[str, int]] = set()
        self.may: set[tuple[str, int]] = set()
        self.was_set = False

    def new_agent(self, number: int) -> Timers:
        return self.world.agent((0, 700)[number], self.store)

    def look(self, number: int) -> None:
        """Have an agent look, and note what follows from that."""
        now = self.world.now + (0, 700)[number]
        enabled = [each for each in self.timers.values() if each.enabled]
        settled = [each for each in enabled if (each.updated_at or 0) <= now - SETTLED_MS]
        self.may |= named(on_time, enabled, now) | named(missed, enabled, now)
        with suppress(StoreUnavailableError):
            self.agents[number].look()
            self.must |= named(on_time, settled, now)
            if not self.was_set:
                self.must |= named(missed, settled, now)

    def die(self) -> None:
        number = self.draw.draw(st.integers(0, 1))
        self.agents[number] = self.new_agent(number)

    def make(self) -> None:
        now = self.world.now
        schedule = self.draw.draw(st.sampled_from(SCHEDULES))
        misfire = self.draw.draw(st.sampled_from(["skip", "once", "all"]))
        name = f"t{len(self.timers)}"
        times = {"since": now, "created_at": now, "updated_at": now}
        self.timers[name] = timer(name, misfire=misfire, **schedule, **times)
        self.world.store.create_subscription(self.timers[name])

    def change(self) -> None:
        """Switch a timer on or off, or change its interval: it counts anew."""
        if not self.timers:
            return
        name = self.draw.draw(st.sampled_from(sorted(self.timers)))
        old, now = self.timers[name], self.world.now
        values: dict[str, Any] = {"since": now, "updated_at": now}
        if self.draw.draw(st.booleans()):
            values["enabled"] = not old.enabled
        else:
            values |= {"cron": None, **self.draw.draw(st.sampled_from(SCHEDULES))}
        self.timers[name] = replace(old, **values)
        self.world.store.change_subscription(name, lambda _: self.timers[name])

    def pass_time(self) -> None:
        self.world.now += self.draw.draw(st.sampled_from([300, 1000, 5000, 30_000, 15 * MINUTE_MS]))

    def go_on(self) -> None:
        """Let a little time pass, in which both agents look, or are started and look."""
        self.world.now += self.draw.draw(st.sampled_from([300, 1000, 5000, 30_000]))
        self.look(0)
        self.look(1)

    def jump(self) -> None:
        """Set the clock; whoever runs looks soon."""
        self.was_set = True
        self.world.now += self.draw.draw(st.sampled_from([-1, 1])) * self.draw.draw(
            st.sampled_from([900, 9000, 70_000, 20 * MINUTE_MS])
        )
        self.look(0)
        self.look(1)

    def check(self) -> None:
        """Check that all is recorded that must be, and nothing that may not."""
        self.fails = False
        self.world.now += SETTLED_MS
        self.look(0)
        self.look(1)
        recorded = {(name, tick) for name in self.timers for tick in self.world.recorded(name)}
        assert self.must <= recorded
        assert recorded <= self.may


@contextmanager
def history(draw: st.DataObject) -> Iterator[History]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        made = History(Path(folder), draw)
        try:
            yield made
        finally:
            made.world.store.close()


HISTORIES = int(os.environ.get("PRATAI_TIMER_HISTORIES", "16"))
relaxed = settings(
    max_examples=HISTORIES // 2, deadline=None, suppress_health_check=list(HealthCheck)
)


@relaxed
@given(st.data())
def test_agents_die_and_the_store_is_away(draw: st.DataObject) -> None:
    with history(draw) as made:
        steps = [made.pass_time, made.pass_time, made.make, made.change, made.die]
        steps += [lambda: made.look(0), lambda: made.look(1)] * 2
        made.make()
        made.fails = draw.draw(st.booleans())
        for _ in range(40):
            draw.draw(st.sampled_from(steps))()
        made.check()


@relaxed
@given(st.data())
def test_clocks_are_set_forward_and_back(draw: st.DataObject) -> None:
    with history(draw) as made:
        steps = [made.go_on, made.go_on, made.jump, made.make, made.die]
        made.make()
        for _ in range(30):
            draw.draw(st.sampled_from(steps))()
        made.check()
