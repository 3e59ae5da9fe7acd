"""Looks after what runs: reports what is lost, ends what is to be cancelled.

The store says what runs; nodes say what they hold. Where they differ for long enough, the collector
is told.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.log_context import logged
from pratai_common.messages import Answer, Cancel, Message, NodeState
from pratai_common.records import Attempt, Request, Status
from pratai_common.store.base import Changed, RequestChange, Store
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.calls import Calls
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.window import Window

LOG = logging.getLogger(__name__)


class Sends(NamedTuple):
    """How a scheduler speaks to others: a node by its state, an API process by its name.

    All are hints; ``False`` says that one was not even queued.
    """

    to_node: Callable[[NodeState, Message], bool]
    to_collector: Callable[[Message], bool]
    to_api: Callable[[str, Message], object]

    def answer(self, request: Request, reason: Reason, message: str) -> None:
        """Tell the API process whose caller waits how a call ended that no node ended."""
        if request.reply_to is not None:
            answer = Answer(request_id=request.request_id, reason=reason, message=message)
            self.to_api(request.reply_to, answer)


class Running:
    """See the module."""

    def __init__(
        self,
        store: Store,
        assignments: Assignments,
        leadership: Leadership,
        nodes: Nodes,
        window: Window,
        calls: Calls,
        sends: Sends,
        adopt_ms: int,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._leadership = leadership
        self._nodes = nodes
        self._window = window
        self._calls = calls
        self._sends = sends
        self._adopt_ms = adopt_ms
        self._reported: list[Request] = []

    @property
    def reported(self) -> Sequence[Request]:
        """Return whose loss the last look has reported: they may be tried again any moment."""
        return self._reported

    def look_after(self, now: int) -> None:
        """Repeat what was asked of running requests, and report those whose node is gone."""
        self._reported = []
        for request in self._store.running_requests(limits.WINDOW_REQUESTS):
            with logged(request.request_id):
                self._look_after(request, now)
        for call in self._calls.lost(self._nodes, self._adopt_ms, now):
            with logged(call.request_id):
                LOG.warning("the node that ran it was lost")
                self._sends.answer(call, Reason.NODE_LOST, "the node that ran it was lost")

    def _look_after(self, request: Request, now: int) -> None:
        if request.cancel_requested_at is not None:
            self.cancel(request)
        if request.attempts:
            self._find_lost(request, request.attempts[-1], now)
        else:
            self._find_detached(request, now)

    def _find_lost(self, request: Request, attempt: Attempt, now: int) -> None:
        """Report a request whose node is gone, or knows nothing of it."""
        if now - max(attempt.started_at, self._leadership.since) < self._adopt_ms:
            return
        if self._may_return(attempt, now):
            return
        if not self._nodes.holds(attempt.node, (request.request_id, attempt.number)):
            LOG.debug("attempt %d is lost on node %s", attempt.number, attempt.node)
            self._reported.append(request)
            self._sends.to_collector(self._assignments.lost(request, attempt))

    def _find_detached(self, request: Request, now: int) -> None:
        """Find out how far a call came that was recorded when its caller waited no longer."""
        if self._window.get(request.request_id) is not None:
            self._store.change_requests([RequestChange(request.request_id, _queued)])
            self._window.forget(request)
            return
        began = max(request.created_at, self._leadership.since)
        if now - began < self._adopt_ms or not self._leadership.settled(now):
            return
        if self._nodes.holder((request.request_id, 1)) is None:
            self._window.leave(request, 1)  # nor is it run when it comes after all
            attempt = Attempt(
                number=1, node="", epoch=self._leadership.epoch, started_at=request.created_at
            )
            LOG.debug("the call is lost, whose caller waited no longer: no node has it")
            self._sends.to_collector(self._assignments.lost(request, attempt))

    def cancel(self, request: Request) -> None:
        """End a request whose cancellation is recorded: at once, or by way of its node."""
        if request.status.final or request.cancel_requested_at is None:
            return
        held = self._window.forget(request)
        if held or request.status is not Status.RUNNING:
            verdict = self._assignments.refused(
                request, self._leadership.epoch, Reason.CANCELLED, "it was cancelled"
            )
            with logged(request.request_id):
                LOG.debug("cancelled while it waited")
                self._sends.to_collector(verdict)
        else:
            self.cancel_on_node(request.request_id, request.attempt or 1)

    def cancel_on_node(self, request_id: str, attempt: int = 1) -> None:
        """Tell the node that has an attempt to end it."""
        node = self._nodes.holder((request_id, attempt))
        if node is not None:
            message = Cancel(request_id=request_id, epoch=self._leadership.epoch)
            with logged(request_id):
                LOG.debug("node %s is to end attempt %d", node.state.node, attempt)
                self._sends.to_node(node.state, message)

    def _may_return(self, attempt: Attempt, now: int) -> bool:
        """Say whether the lease of a node that is not heard of may still run: counted from this
        scheduler's start, unless it has heard itself how the node fell silent.
        """
        node = self._nodes.get(attempt.node)
        if node is not None and self._nodes.obeys(node.state):
            return False
        if self._nodes.silent(attempt.node):
            return False
        return now - max(attempt.started_at, self._leadership.since) < self._nodes.lease_ms


def _queued(request: Request) -> Changed | None:
    """The change that lets a recorded call which no node has wait like any other request."""
    if request.status is not Status.RUNNING or request.attempts:
        return None
    return Changed(replace(request, status=Status.QUEUED))
