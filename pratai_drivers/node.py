"""A node: what it does with messages, and what it says of itself. No threads, no sockets.

What it once said that it does not have, it never takes (``_take``): schedulers repeat elsewhere
what it does not have, and a message may come late.

What a job asks is done by others, in their threads (``slots.py``); what is to be sent goes through
an outbox.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from functools import singledispatchmethod
from typing import Protocol

from msgspec.structs import replace

from pratai_common.clock import Clock, now_us
from pratai_common.errors import Reason
from pratai_common.log_context import logged
from pratai_common.messages import (
    Build,
    Bye,
    Cancel,
    Done,
    Drain,
    Ended,
    FunctionChanged,
    Heartbeat,
    Hello,
    Job,
    Lead,
    NodeMessage,
    NodeState,
    Result,
    Stored,
)
from pratai_drivers.outbox import Outbox
from pratai_drivers.results import Results
from pratai_drivers.spool import Key, Spool

LOG = logging.getLogger(__name__)


class Hands(Protocol):
    """Who does the jobs: tells the node of each result (``deliver``) and each end (``done``)."""

    def put(self, job: Job | Build) -> None:
        """Have a job done as soon as there is room for it."""

    def interrupt(self, key: Key, reason: Reason, message: str) -> None:
        """End a job, also one that has not begun; it gives a result all the same."""


class Spares(Protocol):
    """Containers that wait for events."""

    def ready(self) -> tuple[tuple[str, int, int], ...]:
        """Return function, version and how many of it wait."""

    def forget(self, function_id: str) -> None:
        """Have those of a function removed, and make no more until it is asked for again."""

    def drain(self) -> None:
        """Have them removed, and make no more."""


class Node:
    """See the module. ``identity`` is the node's state as far as it does not change; ``sound`` says
    whether it can work; ``clock`` only goes forward, also while the machine is suspended;
    ``dropped`` says how many malformed messages were dropped so far. May be used from many threads.
    """

    def __init__(
        self,
        identity: NodeState,
        hands: Hands,
        spares: Spares,
        spool: Spool,
        outbox: Outbox,
        results: Results,
        sound: Callable[[], bool],
        clock: Clock,
        dropped: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._hands = hands
        self._spares = spares
        self._spool = spool
        self._outbox = outbox
        self._results = results
        self._sound = sound
        self._clock = clock
        self._dropped = dropped
        self._epoch = 0
        self._draining = False
        self._taken: dict[Key, Job | Build] = {}
        self._take_by: dict[Key, int] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Say hello."""
        self._outbox.to_scheduler(Hello(state=self.state()))

    def receive(self, messages: Sequence[NodeMessage]) -> None:
        """Handle what arrived."""
        for message in messages:
            self._handle(message)

    def tick(self) -> None:
        """Give a sign of life, and send again what was not acknowledged."""
        self.beat()
        now = self._clock()
        with self._lock:
            for key in [key for key, take_by in self._take_by.items() if take_by < now]:
                del self._take_by[key]
        for key in self._spool.due(now):
            self._results.send_again(key)

    def beat(self) -> None:
        """Tell the scheduler how it is, and a collector, should there be no scheduler."""
        heartbeat = Heartbeat(state=self.state())
        self._outbox.to_scheduler(heartbeat)
        self._outbox.to_collector(heartbeat)

    def drain(self) -> None:
        """Take no more jobs, and tell the scheduler."""
        self._draining = True
        self._spares.drain()
        self.beat()

    def leave(self) -> None:
        """Say goodbye."""
        bye = Bye(node=self._identity.node, instance=self._identity.instance)
        self._outbox.to_scheduler(bye)
        self._outbox.to_collector(bye)

    # What became of jobs

    def deliver(self, result: Result) -> None:
        """Keep a result and send it; raises OSError where the disk does not take it."""
        self._spool.add(result, self._clock())
        with self._lock:
            job = self._taken.get((result.request_id, result.attempt))
        if not isinstance(job, Job) or job.counted:
            self._outbox.to_scheduler(
                Ended(
                    node=self._identity.node,
                    instance=self._identity.instance,
                    request_id=result.request_id,
                    attempt=result.attempt,
                )
            )
        self._results.send(result)
        LOG.info("attempt %d: %s", result.attempt, result.reason or "success")

    def done(self, job: Job | Build) -> None:
        """Note that a job takes no capacity any more, whether it gave a result or not."""
        with self._lock:
            del self._taken[(job.request_id, job.attempt)]
        self._outbox.to_scheduler(
            Done(
                node=self._identity.node,
                instance=self._identity.instance,
                request_id=job.request_id,
                attempt=job.attempt,
            )
        )

    # Messages

    @singledispatchmethod
    def _handle(self, message: NodeMessage) -> None:
        raise TypeError(type(message).__name__)

    @_handle.register(Job)
    @_handle.register(Build)
    def _(self, message: Job | Build) -> None:
        if isinstance(message, Job) and message.timing is not None:
            message = replace(message, timing=replace(message.timing, taken=now_us()))
        objection = self._take(message)
        if objection is None:
            self._hands.put(message)
        elif objection:
            with logged(message.request_id):
                LOG.warning("refused attempt %d: %s", message.attempt, objection)

    def _take(self, job: Job | Build) -> str | None:
        """Take a job; returns what is to be said against that instead, nothing of one that came
        before. It excludes ``state``: what that does not have behind a job's time is never taken.
        """
        key = (job.request_id, job.attempt)
        with self._lock:
            if job.instance != self._identity.instance:
                return "it was meant for a former start of this node"
            if job.epoch < self._epoch:
                return "it is from a former scheduler"
            self._epoch = job.epoch
            if key in self._taken or key in self._take_by or key in self._spool:
                return ""
            if job.take_by is not None:
                if self._clock() > job.take_by:
                    return "it was on its way for too long"
                self._take_by[key] = job.take_by
            self._taken[key] = job
        return None

    @_handle.register
    def _(self, message: Lead) -> None:
        with self._lock:
            if message.epoch <= self._epoch:
                return
            self._epoch = message.epoch
        self._outbox.to_scheduler(Heartbeat(state=self.state()))

    @_handle.register
    def _(self, message: Cancel) -> None:
        with self._lock:
            if message.epoch < self._epoch:
                return
            wanted = [key for key in self._taken if key[0] == message.request_id]
        for key in wanted:
            self._hands.interrupt(key, Reason.CANCELLED, "it was cancelled")

    @_handle.register
    def _(self, message: FunctionChanged) -> None:
        self._spares.forget(message.function_id)

    @_handle.register
    def _(self, message: Stored) -> None:
        self._spool.remove(message.request_id, message.attempt)

    @_handle.register
    def _(self, message: Drain) -> None:
        if message.epoch >= self._epoch:
            self.drain()

    def state(self) -> NodeState:
        """Return what the node says of itself."""
        with self._lock:
            epoch, clock = self._epoch, self._clock()
            running = tuple(
                (*key, job.package.function_id if isinstance(job, Job) else "")
                for key, job in self._taken.items()
            )
        return replace(
            self._identity,
            epoch=epoch,
            clock=clock,
            running=running,
            spooled=self._spool.keys(),
            spares=self._spares.ready(),
            draining=self._draining or not self._sound(),
            dropped_messages=self._dropped(),
        )
