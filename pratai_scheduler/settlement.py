"""The change that a result makes to the request that it ends, or to one that is repeated."""

from typing import NamedTuple

from msgspec.structs import replace

from pratai_common.clock import Clock
from pratai_common.messages import Result, Submitted
from pratai_common.outcome import settle
from pratai_common.records import Body, Request, Status
from pratai_common.store.base import Changed
from pratai_scheduler.endings import Ended, outcome


class Arrived(NamedTuple):
    """A result, with its output as the store keeps it, and the call that it came with."""

    result: Result
    output: Body | None
    call: Submitted | None


class Settlement:
    """See the module. ``listening`` are the API processes that live: at others nobody waits.
    ``made`` says whether this changed the request, as it is stored.
    """

    def __init__(self, arrived: Arrived, listening: frozenset[str], clock: Clock) -> None:
        self._arrived = arrived
        self._listening = listening
        self._clock = clock
        self.made = False

    def __call__(self, request: Request) -> Changed | None:
        """Return the request as the result leaves it."""
        result, call = self._arrived.result, self._arrived.call
        if request.reply_to not in self._listening:
            request = replace(request, reply_to=None)
        if request.version is None and call is not None:
            request = replace(request, version=call.request.version)
        after = settle(request, result, self._clock())
        self.made = after is not None
        if after is None:
            return None
        if not result.node and outcome(after) is not None:
            after = replace(after, following=True)  # nobody repeats a verdict on what has ended
        return Changed(after, self._arrived.output if after.status is Status.SUCCESS else None)

    def ended(self, request: Request) -> Ended:
        """Return the end of the request as it is stored; its output is this result's only where
        this made the end.
        """
        return Ended(request, self._arrived.output if self.made else None)
