"""Interval timers. Pure: which ticks are due at a given time.

Tick k of a subscription is due at its start plus k intervals, k from 1 on. The time at which it was
due is the cause of its request, so its id is the same whoever submits it and however often: agents
need neither a leader nor a memory. After a pause of the agent, the latest tick is fired, and those
before it are not; what came while the subscription was switched off is not fired at all. Nor is, by
an agent that has just been started, what is older than a request may wait: whether it was fired is
not known for ever, since records are deleted one day.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pratai_common import limits
from pratai_common.records import Subscription


class Tick(NamedTuple):
    """A moment at which a subscription's function must run; ``due_at`` in milliseconds."""

    subscription: Subscription
    number: int
    due_at: int


class Timer:
    """Remembers which tick of each subscription was fired last, to fire each once."""

    def __init__(self) -> None:
        self._fired: dict[str, int] = {}
        self._looked_at: int | None = None

    def due(self, subscriptions: Iterable[Subscription], now: int) -> list[Tick]:
        """Return the ticks that have come and are not fired yet; ``now`` in milliseconds."""
        ticks = []
        living = {}
        for subscription in subscriptions:
            tick = _latest(subscription, now)
            passed = self._passed(subscription, now)
            fired = self._fired.get(subscription.subscription_id, passed)
            living[subscription.subscription_id] = fired
            # Not only a later one: where the clock was set back, what is fired again is recorded.
            if tick is not None and tick.due_at != fired:
                ticks.append(tick)
        self._fired = living
        self._looked_at = now
        return ticks

    def fired(self, tick: Tick) -> None:
        """Note that a tick's request is recorded."""
        self._fired[tick.subscription.subscription_id] = tick.due_at

    def _passed(self, subscription: Subscription, now: int) -> int:
        """Return when the last tick was due, of a subscription that was not there the last time,
        that is not to be fired any more.
        """
        start = now - limits.ASYNC_LIFETIME_MS
        passed = _latest(subscription, start if self._looked_at is None else self._looked_at)
        return 0 if passed is None else passed.due_at


def _latest(subscription: Subscription, now: int) -> Tick | None:
    """Return the tick that came last, ``None`` before the first."""
    since = subscription.created_at if subscription.since is None else subscription.since
    if not subscription.frequency_ms or now < since + subscription.frequency_ms:
        return None
    number = (now - since) // subscription.frequency_ms
    return Tick(subscription, number, since + number * subscription.frequency_ms)
