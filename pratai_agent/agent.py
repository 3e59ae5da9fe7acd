"""Submits a request for every tick that is due."""

import logging

import msgspec

from pratai_agent.sources.timer import Tick, Timer
from pratai_common.clock import Clock, iso
from pratai_common.log_context import logged
from pratai_common.records import Function
from pratai_common.store.base import Store
from pratai_common.submit import Cause, Event, Submitter

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
                self._submit(function, tick)
            self._timer.fired(tick)

    def _submit(self, function: Function, tick: Tick) -> None:
        created = self._submitter.run(_event(function, tick))
        with logged(created.request.request_id):
            LOG.info(
                "tick %d of subscription %s%s",
                tick.number,
                tick.subscription.subscription_id,
                "" if created.new else ", which was recorded already",
            )


def _event(function: Function, tick: Tick) -> Event:
    cause = Cause("timer", f"{tick.subscription.subscription_id}/{tick.due_at}")
    return Event(
        function=function,
        user_id=tick.subscription.user_id,
        cause=cause,
        payload=_data(tick),
        attributes={
            "specversion": "1.0",
            "id": cause.name,
            "source": f"/v1/functions/{function.function_id}/subscriptions",
            "type": "pratai.timer",
            "time": iso(tick.due_at),
        },
    )


def _data(tick: Tick) -> bytes:
    """Return what the function gets: which tick this is, and when it was due."""
    return msgspec.json.encode(
        {
            "subscription_id": tick.subscription.subscription_id,
            "tick": tick.number,
            "due_at": iso(tick.due_at),
        }
    )
