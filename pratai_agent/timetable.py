"""When timers are due next, of as many as there are. Pure.

A heap of due times, and what holds for each timer: what lies in the heap and holds no longer is
passed over. Nothing else is kept of a timer, which is read again when it is due.
"""

import heapq
from collections.abc import Collection
from typing import NamedTuple

from pratai_agent.sources import timer
from pratai_agent.turns import taking_turns
from pratai_common.records import Subscription

_STALE_MOST = 1000


class Due(NamedTuple):
    """A timer that is due, as it was when that was reckoned: ``version`` tells it from others."""

    due_at: int
    subscription_id: str
    version: int
    project_id: str


class Timetable:
    """See the module."""

    def __init__(self) -> None:
        self._due: dict[str, Due] = {}
        self._heap: list[Due] = []

    def __len__(self) -> int:
        return len(self._due)

    def has(self, subscription: Subscription) -> bool:
        """Say whether a timer stands here as it is."""
        known = self._due.get(subscription.subscription_id)
        return known is not None and known.version == version(subscription)

    def put(self, subscription: Subscription, after: int) -> None:
        """Enter a timer anew, with its next tick after a moment; one that has none is left out.

        Raises CronError where its expression cannot be read; then it is left out, too.
        """
        self.forget(subscription.subscription_id)
        due_at = timer.next_due(subscription, after)
        if due_at is not None:
            name, project_id = subscription.subscription_id, subscription.project_id
            self.give_back([Due(due_at, name, version(subscription), project_id)])

    def forget(self, subscription_id: str) -> None:
        """Leave a timer out."""
        self._due.pop(subscription_id, None)

    def keep(self, subscription_ids: Collection[str]) -> None:
        """Leave out all timers but these."""
        for gone in self._due.keys() - set(subscription_ids):
            del self._due[gone]

    def next_due(self) -> int | None:
        """Return when the next timer is due."""
        self._drop_stale()
        return self._heap[0].due_at if self._heap else None

    @property
    def first_due(self) -> int | None:
        """Return when the next timer is due, for who only looks, from any thread: the time may be
        that of a timer which was changed since.
        """
        first = self._heap[:1]
        return first[0].due_at if first else None

    def take(self, now: int) -> list[Due]:
        """Take out the timers that are due; each is entered again, or given back. Projects take
        turns, and each has its longest due first: the many timers of one hold up no other's.
        """
        taken: list[Due] = []
        while (due_at := self.next_due()) is not None and due_at <= now:
            taken.append(heapq.heappop(self._heap))
            self.forget(taken[-1].subscription_id)
        return taking_turns(taken)

    def give_back(self, entries: Collection[Due]) -> None:
        """Enter timers as they were taken."""
        for each in entries:
            self._due[each.subscription_id] = each
            heapq.heappush(self._heap, each)

    def _drop_stale(self) -> None:
        """Let what is on top of the heap be so; make the heap anew where most of it is not."""
        if len(self._heap) > 2 * len(self._due) + _STALE_MOST:
            self._heap = list(self._due.values())
            heapq.heapify(self._heap)
        while self._heap and self._due.get(self._heap[0].subscription_id) is not self._heap[0]:
            heapq.heappop(self._heap)


def version(subscription: Subscription) -> int:
    """Return a number that is another one where a timer was changed."""
    return hash(
        (
            subscription.updated_at,
            subscription.since,
            subscription.frequency_ms,
            subscription.cron,
            subscription.timezone,
        )
    )
