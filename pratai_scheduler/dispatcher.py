"""The scheduler: takes in what is to be run and what nodes say, and has it dispatched.

The store holds the whole backlog. A ``Submitted`` message is a hint that saves reading it; the
sweep finds whatever a hint missed. A dispatcher acts only while it holds the lease, whose epoch
stands in every job, and after a start only when the nodes have said what they run.

Where there are several, each hears everything. One that stands by keeps in mind what nodes run and
which calls have not ended, so that it can take over at once, and nothing that the store has, too.
Whoever takes over tells nodes its epoch. What a former scheduler may have given to one of them
waits until all have said it (``Leadership.settled``); anything newer does not.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import singledispatchmethod

from pratai_common import limits, refusals
from pratai_common.clock import Clock
from pratai_common.errors import Reason, StoreUnavailableError
from pratai_common.log_context import logged
from pratai_common.messages import (
    Bye,
    Cancel,
    Done,
    Ended,
    FunctionChanged,
    Heartbeat,
    Hello,
    Lead,
    NodeState,
    SchedulerMessage,
    Submitted,
)
from pratai_common.records import Body, Request, Status
from pratai_common.store.base import Store
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.backlog import due
from pratai_scheduler.batches import newest
from pratai_scheduler.calls import Calls
from pratai_scheduler.functions import Functions
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.overheard import Overheard
from pratai_scheduler.placement import Placement
from pratai_scheduler.roster import Roster
from pratai_scheduler.run_quotas import UNBOUNDED, RunQuotas
from pratai_scheduler.running import Running, Sends
from pratai_scheduler.window import Entry, Window

LOG = logging.getLogger(__name__)
_FRESH_HINT_MS = 1000
_MOST_LEARNT = 256
"""Functions that are read for one heartbeat: a former scheduler gave a node no more runs."""

_CALL_GRACE_MS = 5000
"""A call whose caller waits no longer is held so long: by then the API has recorded it."""

_YOUNG_MS = 10_000
"""Nobody acts for less than this while a standby is there, unless leases are made longer."""


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
        weights: Mapping[str, int] | None = None,
        alone: bool = True,
        sweep_ms: int = 0,
        knows_node: Callable[[str], bool] = lambda _name: True,
        builds: int = 2,
        most_runs: int = UNBOUNDED,
    ) -> None:
        """``alone``: no other scheduler gets these messages. ``sweep_ms``: a tick that comes sooner
        after the last sweep does not sweep. ``knows_node``: its key is there, if nodes have keys.
        ``builds``: how many a node makes at a time. ``most_runs``: how many a project has at a
        time, unless it is said otherwise (see ``RunQuotas``).
        """
        self._store = store
        self._leadership = leadership
        self._nodes = nodes
        self._sends = sends
        self._clock = clock
        self._build_memory = build_memory
        self._window_requests = window_requests
        self._alone = alone
        self._sweep_ms = sweep_ms
        self._knows_node = knows_node
        self._swept_at: int | None = None
        self._window = Window(window_requests, weights=weights)
        self._functions = Functions(store)
        self._roster = Roster(store)
        self._calls = Calls()
        self._quotas = RunQuotas(most_runs)
        self._overheard = Overheard(window_requests, _YOUNG_MS)
        self._settled_since: int | None = None
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
            builds,
            self._quotas,
        )
        self._running = Running(
            store, assignments, leadership, nodes, self._window, self._calls, sends, adopt_ms
        )
        self._doubtful: list[Submitted] = []
        self._cancels: list[Cancel] = []

    @property
    def held(self) -> int:
        """Return how many requests it holds to be run."""
        return len(self._window)

    def receive(self, messages: Iterable[SchedulerMessage]) -> None:
        """Handle what arrived, then dispatch what can run.

        What needs the store comes behind all that does not: a store that is away loses nothing
        but hints.
        """
        standby = self._stands_by()
        for message in newest(messages):
            if not (standby and isinstance(message, Submitted | Cancel | FunctionChanged)):
                self._handle(message)
            elif isinstance(message, Submitted) and not message.recorded:
                self._overheard.hear(message)
        try:
            self._consult_store()
        finally:
            self._placement.dispatch()

    def tick(self) -> None:
        """Drop lost nodes, renew the lease, and sweep the store when it is time."""
        now = self._clock()
        for node in self._nodes.expire(now, self._knows_node):
            LOG.warning("node %s was silent too long, or its key is gone", node.state.node)
            self._leadership.lost(node.state.node)
        if new := self._leadership.renew(now):
            LOG.info("this scheduler acts, by epoch %d", self._leadership.epoch)
            self._window.start_over()
            self._swept_at = None
            self._settled_since = None
        if not self._alone and (new or self._leadership.denied):
            self._let_go()
        self._overheard.pass_time(now)
        if new:
            self._take_over()
        if self._running.reported and self._leadership.active(now):
            self._take(self._running.reported)  # by their ids, where no list lags
            self._placement.dispatch()
        if self._swept_at is None or not 0 <= now - self._swept_at < self._sweep_ms:
            self._look_around(now)

    def _stands_by(self) -> bool:
        """Say whether another scheduler has what this one is told of, and acts."""
        return not self._alone and self._leadership.denied

    def _take_over(self) -> None:
        """Tell all nodes who acts, and take in the calls that nobody else can have had."""
        for state in self._nodes.lead(self._leadership.epoch):
            self._tell(state)
        for call in self._overheard.made_after(self._leadership.alone_since):
            self._handle(call)

    def _tell(self, state: NodeState) -> None:
        """Tell a node by which epoch this scheduler acts, unless it has said it."""
        if not self._nodes.obeys(state):
            self._sends.to_node(state, Lead(epoch=self._leadership.epoch))

    def _let_go(self) -> None:
        """Hold nothing of what another has had since: the store, or nodes, tell of it."""
        self._window.clear()
        self._calls.clear()
        self._placement.forget()
        self._roster.forget()
        self._nodes.lead(0)
        self._doubtful.clear()
        self._cancels.clear()

    def _look_around(self, now: int) -> None:
        # FunctionChanged is a hint too: what was parked is looked at again without it.
        self._functions.refresh(self._window.function_ids, now)
        self._window.unpark_all()
        if self._leadership.active(now):
            self._swept_at = now
            self._sweep(now)
            self._running.look_after(now)
            self._placement.dispatch()

    # Messages

    @singledispatchmethod
    def _handle(self, message: SchedulerMessage) -> None:
        raise TypeError(type(message).__name__)

    @_handle.register
    def _(self, message: Submitted) -> None:
        self._quotas.hear(message.request)
        if not message.recorded:
            if not self._alone and message.request.created_at <= self._leadership.alone_since:
                self._overheard.doubt(message.request)  # another may have had it run meanwhile
                return
            entry = Entry(message.request, message.input, message)
            if not self._window.add(entry):
                figures = refusals.figures(self._window_requests, len(self._window))
                reason = f"a scheduler's room for requests that wait is {figures}"
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
        for state in self._nodes.hearing_of_changes():
            self._sends.to_node(state, message)

    @_handle.register(Hello)
    @_handle.register(Heartbeat)
    def _(self, message: Hello | Heartbeat) -> None:
        now, state = self._clock(), message.state
        self._learn(state, now)
        if not self._nodes.saw(state, now, self._memory_of, self._functions.owner_of):
            return
        self._leadership.heard(state, now)
        self._tell(state)
        if not self._stands_by() and self._nodes.obeys(state):
            self._roster.saw(state, now)
        self._adopt(state)

    @_handle.register
    def _(self, message: Bye) -> None:
        if self._nodes.left(message.node, message.instance):
            self._leadership.left(message.node)
            if not self._stands_by():
                self._roster.left(message.node)

    @_handle.register
    def _(self, message: Ended) -> None:
        job = (message.request_id, message.attempt)
        project_id = self._nodes.project_of(message.node, job)
        self._window.unpark(self._nodes.ended(message.node, message.instance, job))
        self._window.run_ended(project_id)

    @_handle.register
    def _(self, message: Done) -> None:
        job = (message.request_id, message.attempt)
        self._calls.ended(job, message.node)
        self._overheard.ended(message.request_id)
        project_id = self._nodes.project_of(message.node, job)
        if function_id := self._nodes.done(message.node, message.instance, job):
            self._window.unpark(function_id)
        else:  # it was a build, or a run that had ended
            self._placement.build_ended()
        self._window.run_ended(project_id)

    def _trusted(self, request: Request) -> bool:
        """Say whether a hint can be believed unread: it is new, and so is what it tells of.

        An old one may have waited in a socket while a former scheduler ran the request.
        """
        age = abs(self._clock() - request.created_at)
        return age < _FRESH_HINT_MS and request.created_at > self._leadership.since

    def _learn(self, state: NodeState, now: int) -> None:
        """Read the functions of which a node runs what was not given from here, in one go: it may
        say what it likes.
        """
        node = self._nodes.get(state.node)
        unknown = {
            function_id
            for request_id, attempt, function_id in state.running
            if function_id and (node is None or node.to_learn((request_id, attempt)))
        }
        with suppress(StoreUnavailableError):
            self._functions.learn(sorted(unknown)[:_MOST_LEARNT], now)

    def _memory_of(self, function_id: str) -> int:
        """Return what a run takes that a former scheduler gave to a node; a build has no function.

        Nothing is known of it while the store is away.
        """
        return self._functions.memory_of(function_id) if function_id else self._build_memory

    def _adopt(self, state: NodeState) -> None:
        """Let nothing wait here that a node has, which may say so later than others.

        It is believed only of what a former scheduler can have given it.
        """
        node = self._nodes.get(state.node)
        running = [(request_id, attempt) for request_id, attempt, _ in state.running]
        for request_id, attempt in (*running, *state.spooled):
            entry = self._window.get(request_id)
            if node is None or entry is None:
                continue
            if entry.call is not None:
                self._adopt_call(entry.request, attempt, state.node)
            elif entry.request.attempt + 1 == attempt and not self._is_new(entry.request):
                self._placement.adopt(entry.request, node)

    def _adopt_call(self, call: Request, attempt: int, node: str) -> None:
        """Have a call not run again that seemed to be of nobody, by the clock of its API."""
        if attempt == 1:
            self._calls.went((call.request_id, 1), call, node, self._clock())
            self._window.forget(call)

    # The store

    def _consult_store(self) -> None:
        """Do what the messages of a batch asked for that needs the store."""
        doubtful, self._doubtful = self._doubtful, []
        cancels, self._cancels = self._cancels, []
        if self._leadership.active(self._clock()):  # else whoever is active finds all of it
            self._settle()
            inputs = {each.request.request_id: each.input for each in doubtful}
            self._take([each.request for each in doubtful], inputs)
            self._cancel(cancels)
        self._roster.write()

    def _settle(self) -> None:
        """As soon as all is known that former schedulers have begun, deal with what waited for it:
        requests, and calls of which nothing is known.
        """
        now = self._clock()
        if not self._leadership.settled(now):
            return
        if self._settled_since != self._leadership.since:
            self._settled_since = self._leadership.since
            self._look_around(now)
        for request in self._overheard.rest():
            if request.expires_at > now and self._nodes.holder((request.request_id, 1)) is None:
                with logged(request.request_id):
                    LOG.warning("the scheduler that may have had this call acts no longer")
                    self._sends.answer(request, Reason.NODE_LOST, "its scheduler was lost")

    def _cancel(self, cancels: Iterable[Cancel]) -> None:
        ids = [each.request_id for each in cancels if each.request_id is not None]
        for request in self._store.get_requests(ids).values() if ids else ():
            self._running.cancel(request)
        for each in cancels:
            if each.function_id is not None:
                for request_id in self._calls.of(each.function_id):
                    self._running.cancel_on_node(request_id)

    def _sweep(self, now: int) -> None:
        found = due(self._store, self._window, self._window_requests, now)
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
        settled = self._leadership.settled(now)
        for request in (current[each] for each in ids if each in current):
            self._quotas.hear(request)
            if request.status not in (Status.QUEUED, Status.SCHEDULED):
                continue
            node = self._nodes.holder((request.request_id, request.attempt + 1))
            if request.cancel_requested_at is not None:
                self._running.cancel(request)
            elif node is not None and not self._is_new(request):
                self._placement.adopt(request, node)
            elif request.next_run_at <= now and (settled or self._is_new(request)):
                self._window.add(Entry(request, (inputs or {}).get(request.request_id)))

    def _is_new(self, request: Request) -> bool:
        """Say whether no former scheduler can have given a request to a node: its first attempt is
        recorded only behind that.
        """
        return request.attempt > 0 or request.next_run_at > self._leadership.alone_since
