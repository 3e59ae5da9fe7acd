"""Timers: which ticks a subscription has, and which of them are fired. Pure.

Tick k of an interval timer is due at its start plus k intervals, k from 1 on; those of a cron timer
as ``pratai_common/cron.py`` says. The time at which it was due is the cause of a tick's request, so
its id is the same whoever submits it and however often.

A tick is on time for ``ON_TIME_MS``, and then fired whatever the timer says. One that nobody fired
by then is missed: of those the timer has none fired (``skip``), the latest (``once``), or all of
them (``all``), at most the latest ``MAX_MISSED_TICKS``. What waited since an agent had so much to
fire is not missed: ticks after its last look are on time, too (``looked_at``).
"""

from pratai_common import cron, limits
from pratai_common.records import Subscription

_CHOSEN_OF_MISSED = {"skip": 0, "once": 1, "all": limits.MAX_MISSED_TICKS}


def start(subscription: Subscription) -> int:
    """Return the moment after which a timer has ticks."""
    return subscription.created_at if subscription.since is None else subscription.since


def number(subscription: Subscription, due_at: int) -> int | None:
    """Return which tick of an interval timer is due then, from 1 on; ``None`` of another timer."""
    if not subscription.frequency_ms:
        return None
    return (due_at - start(subscription)) // subscription.frequency_ms


def next_due(subscription: Subscription, after: int) -> int | None:
    """Return when a timer's next tick after a moment is due, ``None`` where it has none.

    Raises CronError for a cron expression that cannot be read.
    """
    after = max(after, start(subscription))
    if subscription.cron is not None:
        return cron.next_tick(subscription.cron, subscription.timezone, after)
    if not subscription.frequency_ms:
        return None
    passed = (after - start(subscription)) // subscription.frequency_ms
    return start(subscription) + (passed + 1) * subscription.frequency_ms


def due(
    subscription: Subscription, after: int, now: int, looked_at: int | None = None
) -> list[int]:
    """Return which ticks are to be fired of those that came due after one moment, until now.
    Those after ``looked_at`` are on time, however long ago that was.
    """
    after = max(after, start(subscription))
    late = now - limits.ON_TIME_MS - 1
    late = max(after, late if looked_at is None else min(late, looked_at))
    most = _CHOSEN_OF_MISSED[subscription.misfire]
    missed = _latest(subscription, after, late, most) if most else []
    return missed + _latest(subscription, late, now, limits.ON_TIME_MS + 1)


def _latest(subscription: Subscription, after: int, until: int, count: int) -> list[int]:
    """Return the last ``count`` ticks due after one moment, until another."""
    if subscription.cron is not None:
        return cron.latest_ticks(subscription.cron, subscription.timezone, after, until, count)
    first = next_due(subscription, after)
    if first is None or not subscription.frequency_ms:
        return []
    ticks = range(first, until + 1, subscription.frequency_ms)
    return list(ticks[-count:])
