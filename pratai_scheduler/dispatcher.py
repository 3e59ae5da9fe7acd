"""The scheduler: takes in what is to be run and what nodes say, and has it dispatched.

The store holds the whole backlog. A ``Submitted`` message is a hint that saves reading it; the
sweep finds whatever a hint missed. A dispatcher acts only while it holds the lease, whose epoch
stands in every job, and after a start only when the nodes have said what they run.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatchmethod

from pratai_common import limits
from pratai_common.clock import Clock
from pratai_common.errors import Reason, StoreUnavailableError
from pratai_common.messages import (
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
from pratai_common.records import Body, Request, Status
from pratai_common.store.base import Store
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.calls import Calls
from pratai_scheduler.functions import Functions
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.placement import Placement
from pratai_scheduler.roster import Roster
from pratai_scheduler.running import Running, Sends
from pratai_scheduler.window import Entry, Window

LOG = logging.getLogger(__name__)
_FRESH_HINT_MS = 1000
_SWEEP_REQUESTS = 1000
"""How far behind what is held already a sweep looks at least."""

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
        window_requests: int = limits.WINDOW_REQUESTS,
    ) -> None:
        self._store = store
        self._leadership = leadership
        self._nodes = nodes
        self._sends = sends
        self._clock = clock
        self._build_memory = build_memory
        self._window_requests = window_requests
        self._window = Window(window_requests)
        self._functions = Functions(store)
        self._roster = Roster(store)
        self._calls = Calls()
        self._placement = Placement(
            store,
            assignments,
            leadership,
            nodes,
            self._window,
            self._functions,
            self._calls,
            sends,
            clock,
            build_memory,
        )
        self._running = Running(
            store, assignments, leadership, nodes, self._window, self._calls, sends, adopt_ms
        )
        self._doubtful: list[Submitted] = []
        self._cancels: list[Cancel] = []

    def receive(self, messages: Iterable[SchedulerMessage]) -> None:
        """Handle what arrived, then dispatch what can run.

        What needs the store comes behind all that does not: a store that is away loses nothing
        but hints.
        """
        for message in messages:
            self._handle(message)
        try:
            self._consult_store()
        finally:
            self._placement.dispatch()

    def tick(self) -> None:
        """Drop lost nodes, renew the lease, and sweep the store."""
        now = self._clock()
        for node in self._nodes.expire(now):
            LOG.warning("node %s was silent too long", node.state.node)
        if self._leadership.renew(now):
            self._window.start_over()
        # FunctionChanged is a hint too: what was parked is looked at again without it.
        self._functions.refresh(self._window.function_ids, now)
        self._window.unpark_all()
        if self._leadership.active(now):
            self._sweep(now)
            self._running.look_after(now)
            self._placement.dispatch()

    # Messages

    @singledispatchmethod
    def _handle(self, message: SchedulerMessage) -> None:
        raise TypeError(type(message).__name__)

    @_handle.register
    def _(self, message: Submitted) -> None:
        if not message.recorded:
            entry = Entry(message.request, message.input, message)
            if not self._window.add(entry):
                reason = "too many requests wait already"
                self._sends.answer(message.request, Reason.THROTTLED, reason)
        elif self._trusted(message.request):
            self._window.add(Entry(message.request, message.input))
        else:
            self._doubtful.append(message)

    @_handle.register
    def _(self, message: Cancel) -> None:
        self._cancels.append(message)

    @_handle.register
    def _(self, message: FunctionChanged) -> None:
        self._functions.forget(message.function_id)
        self._window.unpark(message.function_id)

    @_handle.register(Hello)
    @_handle.register(Heartbeat)
    def _(self, message: Hello | Heartbeat) -> None:
        now, state = self._clock(), message.state
        if not self._nodes.saw(state, now, self._memory_of):
            return
        self._leadership.heard(state.node)
        self._roster.saw(state, now)
        self._adopt(state)

    @_handle.register
    def _(self, message: Bye) -> None:
        if self._nodes.left(message.node, message.instance):
            self._roster.left(message.node)

    @_handle.register
    def _(self, message: Ended) -> None:
        job = (message.request_id, message.attempt)
        self._window.unpark(self._nodes.ended(message.node, message.instance, job))

    @_handle.register
    def _(self, message: Done) -> None:
        job = (message.request_id, message.attempt)
        self._calls.ended(job)
        self._window.unpark(self._nodes.done(message.node, message.instance, job))

    def _trusted(self, request: Request) -> bool:
        """Say whether a hint can be believed unread: it is new, and so is what it tells of.

        An old one may have waited in a socket while a former scheduler ran the request.
        """
        age = abs(self._clock() - request.created_at)
        return age < _FRESH_HINT_MS and request.created_at > self._leadership.since

    def _memory_of(self, function_id: str) -> int:
        """Return what a run takes that a former scheduler gave to a node; a build has no function.

        Nothing is known of it while the store is away.
        """
        if not function_id:
            return self._build_memory
        try:
            function = self._functions.get(function_id, self._clock())
        except StoreUnavailableError:
            return 0
        return 0 if function is None else function.memory

    def _adopt(self, state: NodeState) -> None:
        """Let nothing wait here that a node has, which may say so later than others."""
        node = self._nodes.get(state.node)
        running = [(request_id, attempt) for request_id, attempt, _ in state.running]
        for request_id, attempt in (*running, *state.spooled):
            entry = self._window.get(request_id)
            if node and entry and not entry.call and entry.request.attempt + 1 == attempt:
                self._placement.adopt(entry.request, node)

    # The store

    def _consult_store(self) -> None:
        """Do what the messages of a batch asked for that needs the store."""
        doubtful, self._doubtful = self._doubtful, []
        cancels, self._cancels = self._cancels, []
        if self._leadership.active(self._clock()):  # else whoever is active finds all of it
            inputs = {each.request.request_id: each.input for each in doubtful}
            self._take([each.request for each in doubtful], inputs)
            self._cancel(cancels)
        self._roster.write()

    def _cancel(self, cancels: Iterable[Cancel]) -> None:
        ids = [each.request_id for each in cancels if each.request_id is not None]
        for request in self._store.get_requests(ids).values() if ids else ():
            self._running.cancel(request)
        for each in cancels:
            if each.function_id is not None:
                for request_id in self._calls.of(each.function_id):
                    self._running.cancel_on_node(request_id)

    def _sweep(self, now: int) -> None:
        deep = max(self._window.room, len(self._window) + _SWEEP_REQUESTS)
        most = min(deep, self._window_requests)
        found = self._store.due_requests(now, most)
        if len(found) == most:
            # The functions of which nothing is held yet may be behind all of these.
            held = {*self._window.function_ids, *(request.function_id for request in found)}
            found += self._store.due_requests(now, _SWEEP_REQUESTS, held)
        for request in found:
            if request.cancel_requested_at is not None:
                self._running.cancel(request)  # also what is held here: ``Cancel`` is a hint
        self._take([request for request in found if request.cancel_requested_at is None])
        for entry in self._window.expired(now):
            if entry.call is None:
                self._placement.refuse(entry, Reason.EXPIRED, "no node could run it in time")
            elif now > entry.request.expires_at + _CALL_GRACE_MS:
                self._window.forget(entry.request)

    def _take(
        self, found: Sequence[Request], inputs: Mapping[str, Body | None] | None = None
    ) -> None:
        """Take requests in as they are now: a list may lag, a read by id does not."""
        ids = [request.request_id for request in self._window.unknown(found)]
        current = self._store.get_requests(ids) if ids else {}
        now = self._clock()
        for request in (current[each] for each in ids if each in current):
            if request.status not in (Status.QUEUED, Status.SCHEDULED):
                continue
            node = self._nodes.holder((request.request_id, request.attempt + 1))
            if request.cancel_requested_at is not None:
                self._running.cancel(request)
            elif node is not None:
                self._placement.adopt(request, node)
            elif request.next_run_at <= now:
                self._window.add(Entry(request, (inputs or {}).get(request.request_id)))
