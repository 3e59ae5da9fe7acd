"""Gives recorded requests to nodes: each first attempt once, each lost one again.

The store holds the whole backlog. A ``Submitted`` message is a hint that saves reading it; the
sweep finds whatever a hint missed. A dispatcher acts only while it holds the lease, whose epoch
stands in every job, and after a start only when the nodes have said what they run.
"""

import logging
from collections.abc import Iterable
from functools import singledispatchmethod

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.clock import Clock
from pratai_common.errors import Reason
from pratai_common.messages import (
    Answer,
    Bye,
    Cancel,
    Done,
    Ended,
    FunctionChanged,
    Heartbeat,
    Hello,
    NodeState,
    SchedulerMessage,
    Submitted,
)
from pratai_common.records import Attempt, Daemon, Function, FunctionStatus, Request, Status
from pratai_common.store.base import Changed, RequestChange, Store
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.calls import Calls
from pratai_scheduler.functions import Functions
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.running import Running, Sends
from pratai_scheduler.window import Entry, Window

LOG = logging.getLogger(__name__)
_FRESH_HINT_MS = 1000
_CALL_GRACE_MS = 5000
"""A call whose caller waits no longer is held so long: by then the API has recorded it."""


class Dispatcher:
    """See the module. All of its effects go through ``store`` and ``sends``."""

    def __init__(
        self,
        store: Store,
        assignments: Assignments,
        leadership: Leadership,
        nodes: Nodes,
        sends: Sends,
        clock: Clock,
        build_memory: int,
        adopt_ms: int,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._leadership = leadership
        self._nodes = nodes
        self._sends = sends
        self._clock = clock
        self._build_memory = build_memory
        self._window = Window(limits.WINDOW_REQUESTS)
        self._functions = Functions(store)
        self._calls = Calls()
        self._running = Running(
            store, assignments, leadership, nodes, self._window, self._calls, sends, adopt_ms
        )
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
            for request in self._running.look_after(now):
                self._answer(request, Reason.NODE_LOST, "the node that ran it was lost")
            self._dispatch()

    # Messages

    @singledispatchmethod
    def _handle(self, message: SchedulerMessage) -> None:
        raise TypeError(type(message).__name__)

    @_handle.register
    def _(self, message: Submitted) -> None:
        if not message.recorded:
            self._admit(message)
            return
        entry = Entry(message.request, message.input)
        if self._trusted(message.request):
            self._window.add(entry)
        elif not self._window.knows(message.request):
            self._take([message.request])

    @_handle.register
    def _(self, message: Cancel) -> None:
        if not self._leadership.active(self._clock()):
            return  # the wish is recorded: whoever is active finds it
        if message.request_id is not None:
            for request in self._store.get_requests([message.request_id]).values():
                self._running.cancel(request)
        if message.function_id is not None:
            for request_id in self._calls.of(message.function_id):
                self._running.cancel_on_node(request_id)

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
    def _(self, message: Ended) -> None:
        job = (message.request_id, message.attempt)
        self._window.unpark_one(self._nodes.ended(message.node, message.instance, job))

    @_handle.register
    def _(self, message: Done) -> None:
        job = (message.request_id, message.attempt)
        self._calls.ended(job)
        self._window.unpark_one(self._nodes.done(message.node, message.instance, job))

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
            if entry.call is None:
                self._refuse(entry, Reason.EXPIRED, "no node could run it in time")
            elif now > entry.request.expires_at + _CALL_GRACE_MS:
                self._window.forget(entry.request)

    def _take(self, found: Iterable[Request]) -> None:
        """Take requests in as they are now: a list may lag, a read by id does not."""
        unknown = [request.request_id for request in found if not self._window.knows(request)]
        for request in self._store.get_requests(unknown).values() if unknown else ():
            if request.status not in (Status.QUEUED, Status.SCHEDULED):
                continue
            if request.cancel_requested_at is None:
                self._window.add(Entry(request, None))
            else:
                self._running.cancel(request)

    # Synchronous calls

    def _admit(self, call: Submitted) -> None:
        """Let a call wait for a node; what finds no room here is refused."""
        if not self._window.add(Entry(call.request, call.input, call)):
            self._answer(call.request, Reason.THROTTLED, "too many requests wait already")

    def _answer(self, request: Request, reason: Reason, message: str) -> None:
        """Tell the API process whose caller waits how a call ended that no node ended."""
        if request.reply_to is not None:
            answer = Answer(request_id=request.request_id, reason=reason, message=message)
            self._sends.to_api(request.reply_to, answer)

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
        if request.kind == "build":
            return self._send(entry, function, request.version or 0)
        if self._must_wait(entry, function):
            self._window.park(entry)
        elif function.version is not None and not self._at_limit(function):
            return self._send(entry, function, function.version)
        elif function.version is not None:
            self._throttle(entry)
        else:
            self._refuse(entry, Reason.IMAGE_BUILD, "no version of the function could be built")
        return True

    def _must_wait(self, entry: Entry, function: Function) -> bool:
        """Say whether nothing but time, or a change of the function, lets a request run."""
        if entry.call is not None and entry.request.expires_at <= self._clock():
            return True  # not run before the API has recorded it, or never
        unbuilt = function.version is None and function.status is not FunctionStatus.ERROR
        return unbuilt or not function.enabled

    def _at_limit(self, function: Function) -> bool:
        return (
            function.limit is not None
            and self._nodes.runs_of(function.function_id) >= function.limit
        )

    def _throttle(self, entry: Entry) -> None:
        """Let an asynchronous request wait for the end of another; refuse a synchronous one."""
        if entry.call is None:
            self._window.park(entry)
        else:
            self._refuse(entry, Reason.THROTTLED, "the function runs as often as its limit allows")

    def _send(self, entry: Entry, function: Function, number: int) -> bool:
        request, now = entry.request, self._clock()
        body = entry.input or self._store.get_input(request.request_id)
        if request.kind == "run" and body is None:
            self._refuse(entry, Reason.INPUT_MISSING, "what came in is no longer stored")
            return True
        memory = self._build_memory if request.kind == "build" else function.memory
        job = (request.request_id, request.attempt + 1)
        owner = "" if request.kind == "build" else function.function_id
        node = self._nodes.place(job, owner, memory, now)
        if node is None:
            return self._set_aside(entry, memory)
        attempt = Attempt(
            number=job[1], node=node.state.node, epoch=self._leadership.epoch, started_at=now
        )
        version = self._functions.version(function.function_id, number)
        change = RequestChange(request.request_id, _Dispatch(attempt, number))
        if entry.call is not None:
            self._calls.went(job, request, attempt.node, now)
        elif attempt.number > 1:
            # A repeated attempt is recorded before it runs: no older failure may settle it then.
            self._store.change_requests([change])
        else:
            self._dispatched.append(change)
        if body is None:
            message = self._assignments.build(request, version, attempt, node)
        else:
            message = self._assignments.run(
                request, function, version, attempt, node, body, entry.call
            )
        if not self._sends.to_node(node.state.address, message):
            LOG.warning("node %s takes no messages", node.state.node)
        self._window.leave(entry, attempt.number)
        return True

    def _set_aside(self, entry: Entry, memory: int) -> bool:
        """Let a request wait for room in its place, but not one that no node has room for: the
        others would wait behind it.
        """
        if not self._nodes.hopeless(memory):
            return False
        self._window.park(entry)
        return True

    def _record_dispatched(self) -> None:
        """Write who runs what; kept for the next time where the store is away."""
        if self._dispatched:
            self._store.change_requests(self._dispatched)
            self._dispatched = []

    def _refuse(self, entry: Entry, reason: Reason, message: str) -> None:
        """Have the collector, which alone settles, end a request that cannot run.

        It is forgotten here: should the verdict be lost, the sweep finds the request again. The
        caller of a synchronous call is told at once.
        """
        self._window.forget(entry.request)
        if entry.call is not None:
            self._answer(entry.request, reason, message)
            return
        self._sends.to_collector(
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
