"""Interval timers. Pure: which ticks are due at a given time.

Tick k of a subscription is due at its start plus k intervals, k from 1 on. The time at which it was
due is the cause of its request, so its id is the same whoever submits it and however often: agents
need neither a leader nor a memory. After a pause, the latest tick is fired, and those before it are
not.
"""

from collections.abc import Iterable
from typing import NamedTuple

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

    def due(self, subscriptions: Iterable[Subscription], now: int) -> list[Tick]:
        """Return the ticks that have come and are not fired yet; ``now`` in milliseconds."""
        ticks = []
        living = {}
        for subscription in subscriptions:
            tick = _latest(subscription, now)
            fired = self._fired.get(subscription.subscription_id, 0)
            living[subscription.subscription_id] = fired
            if tick is not None and tick.due_at > fired:
                ticks.append(tick)
        self._fired = living
        return ticks

    def fired(self, tick: Tick) -> None:
        """Note that a tick's request is recorded."""
        self._fired[tick.subscription.subscription_id] = tick.due_at


def _latest(subscription: Subscription, now: int) -> Tick | None:
    """Return the tick that came last, ``None`` before the first."""
    since = subscription.created_at if subscription.since is None else subscription.since
    if subscription.frequency_ms is None:
        return None
    number = (now - since) // subscription.frequency_ms
    return (
        Tick(subscription, number, since + number * subscription.frequency_ms) if number else None
    )
