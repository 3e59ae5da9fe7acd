"""Fires the ticks of all timers: each becomes a request of its function.

Timers are read once, and then those that were changed lately. One that is due is read again: it is
fired as it is now, or not at all. How far all ticks are recorded is noted in the store for whoever
starts next. Neither that nor the lists need be exact: each look reaches back by ``_SLACK_MS``, and
firing a tick again records nothing.

A look may have so much to fire that it lasts. What comes due meanwhile is on time in the next one;
only what an agent was not there for, or had no store for, is missed. So are ticks of a project that
may have no more requests waiting: they are tried again in each look, and when they are late the
timer's ``misfire`` says what becomes of them.
"""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from pratai_agent.sources import timer
from pratai_agent.timetable import Due, Timetable, version
from pratai_common import limits
from pratai_common.clock import Clock, iso
from pratai_common.cron import CronError
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.log_context import logged
from pratai_common.records import Function, Subscription
from pratai_common.store.base import Store
from pratai_common.submit import Cause, Submitter, Trigger

LOG = logging.getLogger(__name__)
MARK = "timers"
_BATCH = 500
_CHANGES_MS = 1000
_TOGETHER_MS = 50
"""From one look to the next at least: what comes due within it is recorded in one write, which
costs little more than the write of a single tick.
"""

_ALL_MS = 600_000
_MARK_MS = 60_000
_SLACK_MS = 60_000
"""Lists lag, and clocks differ, by less; and it is more than ``ON_TIME_MS``."""


class _Look(NamedTuple):
    """What ticks are judged by: those due until ``now`` are fired, of timers that are new those
    after a moment, and those after ``looked_at`` are on time whatever the clock says.
    """

    now: int
    after: int
    looked_at: int | None


class Timers:
    """See the module. ``look`` may raise StoreUnavailableError, or OverloadedError; the next one
    catches up.
    """

    def __init__(self, store: Store, submitter: Submitter, clock: Clock) -> None:
        self._store = store
        self._submitter = submitter
        self._clock = clock
        self._timetable = Timetable()
        self._refused: list[Due] = []
        self._looked_at: int | None = None
        self._ended_at: int | None = None
        self._handled: int | None = None
        self._listed_at: int | None = None
        self._listed_all_at = 0
        self._marked_at = 0
        self._unmarked = False

    def look(self) -> None:
        """Fire what is due."""
        now = self._clock()
        if self._handled is None:
            self._handled = self._begin(now)
        elif self._looked_at is not None and now < self._looked_at:
            self._begin_again(now, self._handled)
        self._looked_at = now
        look = _Look(now, self._handled - _SLACK_MS, self._kept_up(now, self._handled))
        self._timetable.give_back(self._refused)
        self._refused = []
        if self._listed_at is None or now >= self._listed_at + _CHANGES_MS:
            self._list(now, look.after)
        self._fire_all(self._timetable.take(now), look)
        self._handled = now
        self._ended_at = self._clock()
        self._mark(now)

    def pause(self) -> float:
        """Return for how many seconds there is nothing to do, one at most."""
        if self._listed_at is None:
            return 0.0
        next_list = self._listed_at + _CHANGES_MS
        next_due = self._timetable.next_due()
        until = next_list if next_due is None else min(next_due, next_list)
        if self._ended_at is not None:
            until = max(until, self._ended_at + _TOGETHER_MS)
        return min(max(0, until - self._clock()), _CHANGES_MS) / 1000

    @property
    def number(self) -> int:
        """Return how many timers will fire."""
        return len(self._timetable)

    def lag_ms(self) -> int:
        """Return for how long the first timer is due; also for other threads."""
        due_at = self._timetable.first_due
        return 0 if due_at is None else max(0, self._clock() - due_at)

    def _begin(self, now: int) -> int:
        """Return until when all is recorded, as far as that is known. A mark in the future says
        that a clock was wrong, and nothing of what became due since it was right. One that is old
        is not reached back behind: what was recorded then may have been deleted since.
        """
        mark, yesterday = self._store.get_mark(MARK), now - limits.ASYNC_LIFETIME_MS
        if mark is None or mark - _SLACK_MS > now:
            return yesterday + _SLACK_MS
        return min(mark, now) if mark > yesterday else mark + _SLACK_MS

    def _kept_up(self, now: int, handled: int) -> int | None:
        """Return when the last look was, where it ended just now: what waits since waits for it."""
        late = now - limits.ON_TIME_MS
        return handled if self._ended_at is not None and self._ended_at >= late else None

    def _begin_again(self, now: int, handled: int) -> None:
        """Look again at the ticks of a time that has been before: the clock was set back."""
        LOG.warning("the clock was set back: timers are read anew")
        self._timetable = Timetable()
        self._refused = []
        self._listed_at = None
        self._handled = min(now, handled)

    def _list(self, now: int, after: int) -> None:
        """Enter timers that are new here, or changed, with their ticks after a moment."""
        every = self._listed_at is None or now >= self._listed_all_at + _ALL_MS
        since = 0 if every or self._listed_at is None else self._listed_at - _SLACK_MS
        found = self._store.list_subscriptions("timer", since)
        if every:
            self._timetable.keep({each.subscription_id for each in found})
            self._listed_all_at = now
        for each in found:
            if not self._timetable.has(each):
                self._enter(each, after)
        self._listed_at = now

    def _enter(self, subscription: Subscription, after: int) -> None:
        try:
            self._timetable.put(subscription, after)
        except CronError as error:
            LOG.warning("subscription %s has no ticks: %s", subscription.subscription_id, error)
        except Exception:
            LOG.exception("subscription %s has no ticks", subscription.subscription_id)

    def _fire_all(self, due: list[Due], look: _Look) -> None:
        """Fire what is due; what was not fired is given back."""
        for start in range(0, len(due), _BATCH):
            try:
                self._fire(due[start : start + _BATCH], look)
            except Exception:
                self._timetable.give_back(due[start:])
                raise

    def _fire(self, due: list[Due], look: _Look) -> None:
        """Record the ticks of timers that are due, and enter these again."""
        due = self._with_room(due)
        found = self._store.get_subscriptions([each.subscription_id for each in due])
        living = [
            (each, found[each.subscription_id])
            for each in due
            if each.subscription_id in found and found[each.subscription_id].enabled
        ]
        triggers = self._triggers(living, look)
        while batch := list(islice(triggers, _BATCH)):
            self._record(batch)
        for _, subscription in living:
            self._enter(subscription, look.now)

    def _with_room(self, due: list[Due]) -> list[Due]:
        """Return those of the timers whose ticks are taken; the others come in the next look."""
        full: set[str] = set()
        for project_id in {each.project_id for each in due}:
            try:
                self._submitter.require_room(project_id)
            except OverloadedError as error:
                LOG.debug("ticks of project %s wait: %s", project_id, error)
                full.add(project_id)
        self._refused += [each for each in due if each.project_id in full]
        return [each for each in due if each.project_id not in full]

    def _triggers(self, living: list[tuple[Due, Subscription]], look: _Look) -> Iterator[Trigger]:
        functions = self._store.get_functions(sorted({each.function_id for _, each in living}))
        for due, subscription in living:
            function = functions.get(subscription.function_id)
            if function is not None and function.enabled and function.deleted_at is None:
                yield from _ticks(function, subscription, due, look)

    def _record(self, triggers: list[Trigger]) -> None:
        """Record ticks together; where something is wrong with one of them, each for itself."""
        try:
            self._record_all(triggers)
        except (StoreUnavailableError, OverloadedError):
            raise
        except Exception:
            LOG.exception("%s ticks could not be recorded together", len(triggers))
            for each in triggers:
                self._record_alone(each)

    def _record_alone(self, trigger: Trigger) -> None:
        try:
            self._record_all([trigger])
        except (StoreUnavailableError, OverloadedError):
            raise
        except Exception:
            LOG.exception("tick %s could not be recorded", trigger.cause.name)

    def _record_all(self, triggers: list[Trigger]) -> None:
        created = self._submitter.run_all(triggers)
        self._unmarked = True
        for trigger, one in zip(triggers, created, strict=True):
            with logged(one.request.request_id):
                before = "" if one.new else ", which was recorded already"
                LOG.info("tick %s%s", trigger.cause.name, before)

    def _mark(self, now: int) -> None:
        """Note how far all is recorded: after ticks were, and now and then. What was refused is
        not.
        """
        if self._unmarked or now >= self._marked_at + _MARK_MS:
            until = min((each.due_at - 1 for each in self._refused), default=now)
            self._store.put_mark(MARK, min(now, until))
            self._marked_at = now
            self._unmarked = False


def _ticks(function: Function, subscription: Subscription, due: Due, look: _Look) -> list[Trigger]:
    """Return what is to be fired of a timer: from the tick on that was due, if it is as it was."""
    same = due.version == version(subscription)
    after = due.due_at - 1 if same else look.after
    try:
        ticks = timer.due(subscription, after, look.now, look.looked_at)
        return [_trigger(function, subscription, tick) for tick in ticks]
    except CronError:  # it was changed since; that is told when it is entered again
        return []
    except Exception:
        LOG.exception("subscription %s cannot be fired", subscription.subscription_id)
        return []


def _trigger(function: Function, subscription: Subscription, due_at: int) -> Trigger:
    cause = Cause("timer", f"{subscription.subscription_id}/{due_at}")
    return Trigger(
        function=function,
        user_id=subscription.user_id,
        cause=cause,
        payload=_data(subscription, due_at),
        attributes={
            "specversion": "1.0",
            "id": cause.name,
            "source": f"/v1/functions/{function.function_id}/subscriptions",
            "type": "pratai.timer",
            "time": iso(due_at),
            "datacontenttype": "application/json",
        },
    )


def _data(subscription: Subscription, due_at: int) -> bytes:
    """Return what the function gets: which tick this is, and when it was due."""
    number = timer.number(subscription, due_at)
    return msgspec.json.encode(
        {
            "subscription_id": subscription.subscription_id,
            **({} if number is None else {"tick": number}),
            "due_at": iso(due_at),
        }
    )
