"""A node: takes jobs from the scheduler, one consumer thread a slot does them.

The main thread owns the sockets. Slots hand it what is to be sent through an outbox.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod

from msgspec.structs import replace

from pratai_common.clock import Clock
from pratai_common.errors import Reason
from pratai_common.log_context import logged
from pratai_common.messages import (
    Build,
    Bye,
    Cancel,
    Done,
    Drain,
    Ended,
    Heartbeat,
    Hello,
    Job,
    NodeMessage,
    NodeState,
    Result,
    Stored,
)
from pratai_drivers.executor import Executor
from pratai_drivers.health import Health
from pratai_drivers.interruption import Interruption
from pratai_drivers.outbox import Outbox
from pratai_drivers.results import Results
from pratai_drivers.spool import Spool

LOG = logging.getLogger(__name__)
Key = tuple[str, int]


@dataclass
class _Taken:
    job: Job | Build
    interruption: Interruption


class Node:
    """See the module. ``identity`` is the node's state as far as it does not change; ``clock`` only
    goes forward; ``dropped`` says how many malformed messages were dropped so far.
    """

    def __init__(
        self,
        identity: NodeState,
        executor: Executor,
        spool: Spool,
        outbox: Outbox,
        results: Results,
        health: Health,
        clock: Clock,
        dropped: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._executor = executor
        self._spool = spool
        self._outbox = outbox
        self._results = results
        self._health = health
        self._clock = clock
        self._dropped = dropped
        self._epoch = 0
        self._draining = False
        self._ending: str | None = None
        self._taken: dict[Key, _Taken] = {}
        self._idle = threading.Condition()
        self._queue: queue.SimpleQueue[_Taken | None] = queue.SimpleQueue()
        self._slots = [
            threading.Thread(target=self._work, name=f"slot-{number}", daemon=True)
            for number in range(identity.slots)
        ]

    def start(self) -> None:
        """Say hello, and let the slots take jobs."""
        self._health.on_change = self.beat
        self._results.start()
        for slot in self._slots:
            slot.start()
        self._outbox.to_scheduler(Hello(state=self._state()))

    def receive(self, messages: Sequence[NodeMessage]) -> None:
        """Handle what arrived."""
        for message in messages:
            self._handle(message)

    def tick(self) -> None:
        """Give a sign of life, and send again what was not acknowledged."""
        self.beat()
        for key in self._spool.due(self._clock()):
            self._results.send_again(key)

    def beat(self) -> None:
        """Tell the scheduler how it is, and a collector, should there be no scheduler."""
        heartbeat = Heartbeat(state=self._state())
        self._outbox.to_scheduler(heartbeat)
        self._outbox.to_collector(heartbeat)

    def drain(self) -> None:
        """Take no more jobs, and tell the scheduler."""
        self._draining = True
        self.beat()

    def wait_idle(self, seconds: float) -> bool:
        """Return whether all jobs ended within so many seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._taken, seconds)

    def interrupt_all(self, message: str) -> None:
        """End what still runs, and what yet comes; the scheduler repeats it elsewhere."""
        with self._idle:
            self._ending = message
            taken = list(self._taken.values())
        for each in taken:
            each.interruption.interrupt(Reason.NODE_LOST, message)

    def leave(self) -> None:
        """End the slots and say goodbye."""
        for _ in self._slots:
            self._queue.put(None)
        self._results.stop()
        bye = Bye(node=self._identity.node, instance=self._identity.instance)
        self._outbox.to_scheduler(bye)
        self._outbox.to_collector(bye)

    # Messages

    @singledispatchmethod
    def _handle(self, message: NodeMessage) -> None:
        raise TypeError(type(message).__name__)

    @_handle.register(Job)
    @_handle.register(Build)
    def _(self, message: Job | Build) -> None:
        key = (message.request_id, message.attempt)
        if message.instance != self._identity.instance or message.epoch < self._epoch:
            with logged(message.request_id):
                LOG.warning(
                    "refused attempt %d: meant for a former node, or from a former scheduler",
                    message.attempt,
                )
            return
        self._epoch = message.epoch
        with self._idle:
            if key in self._taken or key in self._spool:
                return
            self._taken[key] = taken = _Taken(message, Interruption())
            if self._ending is not None:
                taken.interruption.interrupt(Reason.NODE_LOST, self._ending)
        self._queue.put(taken)

    @_handle.register
    def _(self, message: Cancel) -> None:
        if message.epoch < self._epoch:
            return
        with self._idle:
            taken = [
                each for each in self._taken.values() if each.job.request_id == message.request_id
            ]
        for each in taken:
            each.interruption.interrupt(Reason.CANCELLED, "it was cancelled")

    @_handle.register
    def _(self, message: Stored) -> None:
        self._spool.remove(message.request_id, message.attempt)

    @_handle.register
    def _(self, message: Drain) -> None:
        if message.epoch >= self._epoch:
            self.drain()

    # Slots

    def _work(self) -> None:
        while (taken := self._queue.get()) is not None:
            with logged(taken.job.request_id):
                try:
                    self._do(taken)
                except Exception:
                    # The scheduler hears nothing more of the job, and repeats it.
                    LOG.exception("a fault of the node")
                    self._health.suspect()
                finally:
                    self._forget(taken)

    def _do(self, taken: _Taken) -> None:
        job = taken.job
        LOG.debug("attempt %d begins", job.attempt)
        if isinstance(job, Build):
            self._executor.build(job, self._deliver, taken.interruption)
        else:
            self._executor.run(job, self._deliver, taken.interruption)

    def _deliver(self, result: Result) -> None:
        self._spool.add(result, self._clock())
        LOG.info("attempt %d: %s", result.attempt, result.reason or "success")
        self._outbox.to_scheduler(
            Ended(
                node=self._identity.node,
                instance=self._identity.instance,
                request_id=result.request_id,
                attempt=result.attempt,
            )
        )
        self._results.send(result)

    def _forget(self, taken: _Taken) -> None:
        job = taken.job
        with self._idle:
            del self._taken[(job.request_id, job.attempt)]
            self._idle.notify_all()
        taken.interruption.close()
        self._outbox.to_scheduler(
            Done(
                node=self._identity.node,
                instance=self._identity.instance,
                request_id=job.request_id,
                attempt=job.attempt,
            )
        )

    def _state(self) -> NodeState:
        with self._idle:
            running = tuple(
                (*key, taken.job.package.function_id if isinstance(taken.job, Job) else "")
                for key, taken in self._taken.items()
            )
        return replace(
            self._identity,
            running=running,
            spooled=self._spool.keys(),
            draining=self._draining or not self._health.sound,
            dropped_messages=self._dropped(),
        )
