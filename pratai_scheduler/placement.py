"""Gives what waits to nodes, in fair turns; says why not where something can never run.

A first attempt is sent and then recorded, together with the others of its round. A later one is
recorded before it is sent: an older failure cannot settle it then.
"""

import logging

from msgspec.structs import replace

from pratai_common import refusals
from pratai_common.clock import Clock
from pratai_common.errors import Reason
from pratai_common.log_context import logged
from pratai_common.messages import Message
from pratai_common.records import Attempt, Body, Function, FunctionStatus, Request, Status, Version
from pratai_common.store.base import Changed, RequestChange, Store
from pratai_scheduler.assignments import Assignments, needs_provisions
from pratai_scheduler.build_places import BuildPlaces
from pratai_scheduler.calls import Calls
from pratai_scheduler.functions import Functions
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.node import Node
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.run_quotas import RunQuotas
from pratai_scheduler.running import Sends
from pratai_scheduler.window import Entry, Window

LOG = logging.getLogger(__name__)
_MOST_PASSED_OVER = 32
"""So many lanes are looked at in vain before a round ends; the next one begins behind them."""

_PATIENCE_MS = 10_000
"""For so long smaller runs may take the memory that a request waits for; then a node is kept."""


class Placement:
    """See the module."""

    def __init__(
        self,
        store: Store,
        assignments: Assignments,
        leadership: Leadership,
        nodes: Nodes,
        window: Window,
        functions: Functions,
        calls: Calls,
        sends: Sends,
        clock: Clock,
        build_memory: int,
        builds: int,
        most_runs: RunQuotas,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._leadership = leadership
        self._nodes = nodes
        self._window = window
        self._functions = functions
        self._calls = calls
        self._sends = sends
        self._clock = clock
        self._build_memory = build_memory
        self._build_places = BuildPlaces(nodes, builds)
        self._most_runs = most_runs
        self._dispatched: list[RequestChange] = []

    def dispatch(self) -> None:
        """Give nodes what they have room for, and record who runs what."""
        if not self._leadership.active(self._clock()):
            return
        if self._nodes.room_came():
            self._window.begin_again()
        try:
            self._take_turns()
        finally:
            self._window.resume()
        self._record_dispatched()

    def build_ended(self) -> None:
        """Let the build look for a place anew that has waited for one longest."""
        function_id = self._build_places.first_waiting()
        if function_id is not None:
            self._window.unpark(function_id)

    def adopt(self, request: Request, node: Node) -> None:
        """Take over an attempt that a node has and no record tells of: a former scheduler sent it
        and came no further.
        """
        attempt = self._attempt(request, node)
        self._dispatched.append(RequestChange(request.request_id, _Dispatch(attempt)))
        self._window.leave(request, attempt.number)
        with logged(request.request_id):
            LOG.info("node %s has attempt %d, by a former scheduler", attempt.node, attempt.number)

    def forget(self) -> None:
        """Leave what is not recorded to whoever acts, who adopts it from its node."""
        self._dispatched.clear()

    def refuse(self, entry: Entry, reason: Reason, message: str) -> None:
        """Have the collector, which alone settles, end a request that cannot run.

        It is forgotten here: should the verdict be lost, the sweep finds the request again. The
        caller of a synchronous call is told at once.
        """
        self._window.forget(entry.request)
        with logged(entry.request.request_id):
            LOG.debug("refused, %s: %s", reason, message)
            if entry.call is not None:
                self._sends.answer(entry.request, reason, message)
                return
            self._sends.to_collector(
                self._assignments.refused(entry.request, self._leadership.epoch, reason, message)
            )

    def _take_turns(self) -> None:
        passed_over = 0
        while passed_over < _MOST_PASSED_OVER and (entry := self._first()) is not None:
            if not self._leadership.active(self._clock()):
                return  # looked at before each: a process may stand still at any moment
            placed = False
            try:
                with logged(entry.request.request_id):
                    placed = self._place(entry)
            finally:
                # Also where the store is away: a call needs none, and may be next.
                if not placed:
                    self._window.pass_over(entry)
                    passed_over += 1

    def _first(self) -> Entry | None:
        """Return the request whose turn it is, also of projects that have room for a further run
        which whatever was to have it did not use.
        """
        first = self._window.first()
        if first is None and self._window.wake(self._has_room):
            first = self._window.first()
        return first

    def _place(self, entry: Entry) -> bool:
        """Deal with the request whose turn it is; ``False`` where it waits for room."""
        request = entry.request
        if entry.call is None and not self._nodes.open:
            return False
        function = self._functions.get(request.function_id, self._clock())
        if function is None or function.deleted_at is not None:
            self.refuse(entry, Reason.FUNCTION_DELETED, "the function was deleted")
        elif request.kind == "build":
            return self._give(entry, function, request.version or 0)
        elif entry.call is not None and request.expires_at <= self._clock():
            self._window.shelve(entry)  # not to be run before the API has recorded it, or never
        elif not function.enabled or (
            function.version is None and function.status is not FunctionStatus.ERROR
        ):
            self._window.park(entry)
        elif function.version is None:
            self.refuse(entry, Reason.IMAGE_BUILD, "no version of the function could be built")
        elif self._at_limit(function) or not self._has_room(request.project_id):
            self._throttle(entry, function)
        else:
            return self._give(entry, function, function.version)
        return True

    def _at_limit(self, function: Function) -> bool:
        return (
            function.limit is not None
            and self._nodes.runs_of(function.function_id) >= function.limit
        )

    def _has_room(self, project_id: str) -> bool:
        most = self._most_runs(project_id)
        return most < 0 or self._nodes.runs_of_project(project_id) < most

    def _throttle(self, entry: Entry, function: Function) -> None:
        """Let an asynchronous request wait for the end of another; refuse a synchronous one."""
        at_limit = self._at_limit(function)
        if entry.call is None:
            park = self._window.park if at_limit else self._window.park_for_quota
            park(entry)
            return
        if at_limit:
            used = self._nodes.runs_of(function.function_id)
            message = f"the function's limit is {refusals.figures(function.limit or 0, used)}"
        else:
            used = self._nodes.runs_of_project(function.project_id)
            most = self._most_runs(function.project_id)
            message = refusals.over("concurrent_requests", most, used)
        self.refuse(entry, Reason.THROTTLED, message)

    def _give(self, entry: Entry, function: Function, number: int) -> bool:
        """Give a request to a node; ``False`` where none has room."""
        request, now = entry.request, self._clock()
        version = self._functions.version(function.function_id, number)
        if version is None:
            self._window.park(entry)  # a list of versions may lag
            return True
        build = request.kind == "build"
        if build and not self._build_places.free():
            self._window.park(entry)  # out of the way of all others
            self._build_places.wait(function.function_id)
            return True
        memory = self._build_memory if build else function.memory
        job = (request.request_id, request.attempt + 1)
        code = (function.function_id, number)
        owner = ("", "") if build else (function.function_id, request.project_id)
        provisions = not build and needs_provisions(function)
        node = self._nodes.place(job, owner[0], memory, now, code, owner[1], provisions)
        if node is None:
            if now - request.next_run_at > _PATIENCE_MS:
                self._nodes.keep(job, memory, now, provisions)
            return False
        if build:
            self._build_places.took(job)
        sent = False
        try:
            sent = self._send(entry, function, version, node)
        finally:
            if not sent:
                self._nodes.release(job)
        return True

    def _send(self, entry: Entry, function: Function, version: Version, node: Node) -> bool:
        """Send a request to the node that has its part ready; ``False`` where it does not run."""
        request, body = entry.request, entry.input
        if request.kind == "run" and body is None:
            body = self._store.get_input(request.request_id)
        if request.kind == "run" and body is None:
            self.refuse(entry, Reason.INPUT_MISSING, "what came in is no longer stored")
            return False
        attempt = self._attempt(request, node)
        # First: where the archives are away there is no job, and no attempt is to be noted.
        message = self._message(entry, function, version, attempt, node, body)
        if not self._leadership.active(self._clock()):
            return False  # the store may have taken its time, and another may act by now
        if not self._noted(entry, attempt, version):
            self._window.forget(request)
            return False
        if not self._sends.to_node(node.state, message):
            LOG.warning("node %s takes no messages", node.state.node)
        LOG.debug("attempt %d goes to node %s", attempt.number, node.state.node)
        self._window.leave(request, attempt.number)
        return True

    def _message(
        self,
        entry: Entry,
        function: Function,
        version: Version,
        attempt: Attempt,
        node: Node,
        body: Body | None,
    ) -> Message:
        if body is None:
            return self._assignments.build(entry.request, version, attempt, node)
        call = entry.call
        if call is not None:
            call = replace(call, request=replace(call.request, version=version.number))
        return self._assignments.run(entry.request, function, version, attempt, node, body, call)

    def _attempt(self, request: Request, node: Node) -> Attempt:
        return Attempt(
            number=request.attempt + 1,
            node=node.state.node,
            epoch=self._leadership.epoch,
            started_at=self._clock(),
        )

    def _noted(self, entry: Entry, attempt: Attempt, version: Version) -> bool:
        """Note an attempt; ``False`` where its request was settled since it is held here."""
        request = entry.request
        if entry.call is not None:
            job = (request.request_id, attempt.number)
            self._calls.went(job, request, attempt.node, attempt.started_at)
            return True
        change = RequestChange(request.request_id, _Dispatch(attempt, version.number))
        if attempt.number == 1:
            self._dispatched.append(change)
            return True
        after = self._store.change_requests([change])[0]
        return after is not None and after.attempts[-1:] == (attempt,)

    def _record_dispatched(self) -> None:
        """Write who runs what; kept for the next time where the store is away."""
        if self._dispatched:
            self._store.change_requests(self._dispatched)
            self._dispatched = []


class _Dispatch:
    """The change that a dispatch makes, unless something newer stands in the record."""

    def __init__(self, attempt: Attempt, version: int | None = None) -> None:
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
                version=request.version if self._version is None else self._version,
                node=attempt.node,
                started_at=request.started_at or attempt.started_at,
                queue_ms=max(0, attempt.started_at - request.created_at),
            )
        )
