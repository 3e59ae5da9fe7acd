"""Gives recorded requests to nodes: each first attempt once, each lost one again.

The store holds the whole backlog. A ``Submitted`` message is a hint that saves reading it; the
sweep finds whatever a hint missed. A dispatcher acts only while it holds the lease, whose epoch
stands in every job, and after a start only when the nodes have said what they run.
"""

import logging
from collections.abc import Callable, Iterable
from functools import singledispatchmethod

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.clock import Clock
from pratai_common.errors import Reason
from pratai_common.messages import (
    Bye,
    Done,
    FunctionChanged,
    Heartbeat,
    Hello,
    Message,
    NodeState,
    SchedulerMessage,
    Submitted,
)
from pratai_common.records import Attempt, Daemon, Function, FunctionStatus, Request, Status
from pratai_common.store.base import Changed, RequestChange, Store
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.functions import Functions
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.window import Entry, Window

LOG = logging.getLogger(__name__)
SendToNode = Callable[[str, Message], bool]
SendToCollector = Callable[[Message], bool]
_FRESH_HINT_MS = 1000


class Dispatcher:
    """See the module. All of its effects go through ``store`` and the two ``send`` functions."""

    def __init__(
        self,
        store: Store,
        assignments: Assignments,
        leadership: Leadership,
        nodes: Nodes,
        to_node: SendToNode,
        to_collector: SendToCollector,
        clock: Clock,
        build_memory: int,
        adopt_ms: int,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._leadership = leadership
        self._nodes = nodes
        self._to_node = to_node
        self._to_collector = to_collector
        self._clock = clock
        self._build_memory = build_memory
        self._adopt_ms = adopt_ms
        self._window = Window(limits.WINDOW_REQUESTS)
        self._functions = Functions(store)
        self._started_at = clock()
        self._dispatched: list[RequestChange] = []

    def receive(self, messages: Iterable[SchedulerMessage]) -> None:
        """Handle what arrived, then dispatch what can run."""
        for message in messages:
            self._handle(message)
        self._dispatch()

    def tick(self) -> None:
        """Renew the lease, drop lost nodes, and sweep the store."""
        now = self._clock()
        self._leadership.renew(now)
        for node in self._nodes.expire(now):
            LOG.warning("node %s was silent too long", node.state.node)
        self._functions.forget_old(now)
        # FunctionChanged is a hint too: what was parked is looked at again without it.
        self._window.unpark_all()
        if self._leadership.active(now):
            self._sweep(now)
            self._find_lost(now)
            self._dispatch()

    # Messages

    @singledispatchmethod
    def _handle(self, message: SchedulerMessage) -> None:
        raise TypeError(type(message).__name__)

    @_handle.register
    def _(self, message: Submitted) -> None:
        entry = Entry(message.request, message.input)
        if self._trusted(message.request):
            self._window.add(entry)
        elif not self._window.knows(message.request):
            self._take([message.request])

    @_handle.register
    def _(self, message: FunctionChanged) -> None:
        self._functions.forget(message.function_id)
        self._window.unpark(message.function_id)

    @_handle.register(Hello)
    @_handle.register(Heartbeat)
    def _(self, message: Hello | Heartbeat) -> None:
        now, state = self._clock(), message.state
        self._leadership.heard(state.node)
        self._nodes.saw(state, now)
        self._store.put_daemon(_entry_of(state, now))

    @_handle.register
    def _(self, message: Bye) -> None:
        self._nodes.left(message.node, message.instance)
        self._store.remove_daemon("driver", message.node)

    @_handle.register
    def _(self, message: Done) -> None:
        self._nodes.done(message.node, message.instance, (message.request_id, message.attempt))

    def _trusted(self, request: Request) -> bool:
        """Say whether a hint can be believed unread: it is new, and so is what it tells of.

        An old one may have waited in a socket while a former scheduler ran the request.
        """
        age = self._clock() - request.created_at
        return age < _FRESH_HINT_MS and request.created_at > self._started_at

    # The store's backlog

    def _sweep(self, now: int) -> None:
        room = self._window.room
        if room:
            self._take(self._store.due_requests(now, room))
        for entry in self._window.expired(now):
            self._refuse(entry, Reason.EXPIRED, "no node could run it in time")

    def _take(self, found: Iterable[Request]) -> None:
        """Take requests in as they are now: a list may lag, a read by id does not."""
        unknown = [request.request_id for request in found if not self._window.knows(request)]
        for request in self._store.get_requests(unknown).values() if unknown else ():
            if request.status in (Status.QUEUED, Status.SCHEDULED):
                self._window.add(Entry(request, None))

    def _find_lost(self, now: int) -> None:
        """Report what is said to run on a node that is gone, or that knows nothing of it."""
        for request in self._store.running_requests(limits.WINDOW_REQUESTS):
            attempt = request.attempts[-1]
            if now - max(attempt.started_at, self._leadership.since) < self._adopt_ms:
                continue
            if self._nodes.get(attempt.node) is None and self._may_return(attempt, now):
                continue
            if not self._nodes.holds(attempt.node, (request.request_id, attempt.number)):
                self._to_collector(self._assignments.lost(request, attempt))

    def _may_return(self, attempt: Attempt, now: int) -> bool:
        """Say whether a silent node's lease may still run, counted from this scheduler's start."""
        return now - max(attempt.started_at, self._leadership.since) < self._nodes.lease_ms

    # Dispatch

    def _dispatch(self) -> None:
        if not self._leadership.active(self._clock()):
            return
        while (entry := self._window.first()) is not None and self._place(entry):
            pass
        self._record_dispatched()

    def _place(self, entry: Entry) -> bool:
        """Deal with the first waiting request; ``False`` where it must go on waiting."""
        request = entry.request
        function = self._functions.get(request.function_id, self._clock())
        if function is None or function.deleted_at is not None:
            self._refuse(entry, Reason.FUNCTION_DELETED, "the function was deleted")
            return True
        number = request.version if request.kind == "build" else function.version
        if number is not None:
            return self._send(entry, function, number)
        if function.status is FunctionStatus.ERROR:
            self._refuse(entry, Reason.IMAGE_BUILD, "no version of the function could be built")
        else:
            self._window.park(entry)
        return True

    def _send(self, entry: Entry, function: Function, number: int) -> bool:
        request, now = entry.request, self._clock()
        body = entry.input or self._store.get_input(request.request_id)
        if request.kind == "run" and body is None:
            self._refuse(entry, Reason.INPUT_MISSING, "what came in is no longer stored")
            return True
        memory = self._build_memory if request.kind == "build" else function.memory
        job = (request.request_id, request.attempt + 1)
        node = self._nodes.place(job, memory, now)
        if node is None:
            return False
        attempt = Attempt(
            number=job[1], node=node.state.node, epoch=self._leadership.epoch, started_at=now
        )
        version = self._functions.version(function.function_id, number)
        change = RequestChange(request.request_id, _Dispatch(attempt, number))
        if attempt.number > 1:
            # A repeated attempt is recorded before it runs: no older failure may settle it then.
            self._store.change_requests([change])
        else:
            self._dispatched.append(change)
        if body is None:
            message = self._assignments.build(request, version, attempt, node)
        else:
            message = self._assignments.run(request, function, version, attempt, node, body)
        if not self._to_node(node.state.address, message):
            LOG.warning("node %s takes no messages", node.state.node)
        self._window.leave(entry, attempt.number)
        return True

    def _record_dispatched(self) -> None:
        """Write who runs what; kept for the next time where the store is away."""
        if self._dispatched:
            self._store.change_requests(self._dispatched)
            self._dispatched = []

    def _refuse(self, entry: Entry, reason: Reason, message: str) -> None:
        """Have the collector, which alone settles, end a request that cannot run.

        It is forgotten here: should the verdict be lost, the sweep finds the request again.
        """
        self._window.forget(entry)
        self._to_collector(
            self._assignments.refused(entry.request, self._leadership.epoch, reason, message)
        )


class _Dispatch:
    """The change that a dispatch makes, unless something newer stands in the record."""

    def __init__(self, attempt: Attempt, version: int) -> None:
        self._attempt = attempt
        self._version = version

    def __call__(self, request: Request) -> Changed | None:
        attempt = self._attempt
        if request.status.final or request.attempt >= attempt.number:
            return None
        return Changed(
            replace(
                request,
                status=Status.RUNNING,
                attempts=(*request.attempts, attempt),
                version=self._version,
                node=attempt.node,
                started_at=request.started_at or attempt.started_at,
                queue_ms=max(0, attempt.started_at - request.created_at),
            )
        )


def _entry_of(state: NodeState, now: int) -> Daemon:
    return Daemon(
        daemon_type="driver",
        daemon_id=state.node,
        joined_at=state.joined_at,
        seen_at=now,
        ip=state.ip,
        version=state.version,
        address=state.address,
        pid=state.pid,
        dropped_messages=state.dropped_messages,
        runtimes=state.runtimes,
    )
