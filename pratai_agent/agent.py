"""Submits a request for every tick that is due."""

import logging

import msgspec

from pratai_agent.sources.timer import Tick, Timer
from pratai_common.clock import Clock, iso
from pratai_common.store.base import Store
from pratai_common.submit import Cause, Submitter

LOG = logging.getLogger(__name__)


class Agent:
    """See the module. ``tick`` may raise StoreUnavailableError; the next one catches up."""

    def __init__(self, store: Store, submitter: Submitter, clock: Clock) -> None:
        self._store = store
        self._submitter = submitter
        self._clock = clock
        self._timer = Timer()

    def tick(self) -> None:
        """Submit what is due."""
        due = self._timer.due(self._store.list_subscriptions("timer"), self._clock())
        if not due:
            return
        functions = self._store.get_functions([tick.subscription.function_id for tick in due])
        for tick in due:
            function = functions.get(tick.subscription.function_id)
            if function is not None:
                self._submitter.run(function, tick.subscription.user_id, _cause(tick), _data(tick))
            self._timer.fired(tick)


def _cause(tick: Tick) -> Cause:
    return Cause("timer", f"{tick.subscription.subscription_id}/{tick.number}")


def _data(tick: Tick) -> bytes:
    """Return what the function gets: which tick this is, and when it was due."""
    subscription = tick.subscription
    due_at = subscription.created_at + tick.number * subscription.frequency_ms
    return msgspec.json.encode(
        {
            "subscription_id": subscription.subscription_id,
            "tick": tick.number,
            "due_at": iso(due_at),
        }
    )
