"""The one door: whatever happened becomes requests here, recorded first and then sent.

A request's id comes from its cause, and recording is create-if-absent: the same cause asked twice,
by two agents or a client that repeats itself, is one request.

Where as many wait as may, nothing is written and OverloadedError is raised (``admission.py``).
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.admission import Door
from pratai_common.archives import Archives
from pratai_common.clock import Clock, now_us
from pratai_common.errors import Reason
from pratai_common.log_context import logged
from pratai_common.messages import Message, Submitted
from pratai_common.records import Body, Function, Request, Status, Timing, Version
from pratai_common.store.base import Created, NewRequest, Store
from pratai_common.tracing import NO_SAMPLING, Sampling

Send = Callable[[Message], object]
Observe = Callable[[Request, bool], object]
"""Told of each new request; the second is true for a call, which is in no store."""

_MOST_IN_A_WRITE = 256
"""Requests: others that write wait no longer than for so many."""


_MOST_REMEMBERED = 256
"""Ids: each is asked for several times while its request is made."""


class Cause(msgspec.Struct, frozen=True):
    """Why a request exists. ``kind`` names the sort of cause, ``name`` is unique within it."""

    kind: str
    name: str


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run, and why. ``payload`` is JSON text, or a body that is kept already;
    ``attributes`` what else is known of the event; ``reply_to`` names the API process whose caller
    waits for the result, ``caller_project_id`` the project of a caller who is not of the
    function's. ``parent`` is the request whose end is the cause, ``budget`` how many may descend
    from this one. It runs at ``not_before`` at the earliest.
    """

    function: Function
    user_id: str
    caller_project_id: str | None = None
    cause: Cause
    payload: bytes | Body
    attributes: dict[str, Any] | None = None
    replay_of: str | None = None
    reply_to: str | None = None
    parent: Request | None = None
    budget: int = limits.CHAIN_REQUESTS
    not_before: int | None = None


@lru_cache(_MOST_REMEMBERED)
def request_id(project_id: str, function_id: str, cause: Cause) -> str:
    """Return the id that a cause gives: the same for the same cause, for ever."""
    parts = msgspec.msgpack.encode((project_id, function_id, cause.kind, cause.name))
    return str(uuid.UUID(bytes=hashlib.sha256(parts).digest()[:16]))


def lifetime_ms(function: Function) -> int:
    """Return how long a function's request may wait for its run, repetitions included."""
    return limits.ASYNC_LIFETIME_MS if function.max_age is None else function.max_age * 1000


def _within_chain(request: Request) -> Request:
    """Return a request, ended already where its chain is longer or wider than one may be."""
    if request.depth <= limits.MAX_DEPTH and request.chain_budget >= 0:
        return request
    what = "steps" if request.depth > limits.MAX_DEPTH else "requests"
    most = limits.MAX_DEPTH if request.depth > limits.MAX_DEPTH else limits.CHAIN_REQUESTS
    return replace(
        request,
        status=Status.ERROR,
        reason=Reason.CHAIN_LIMIT,
        message=f"one event may cause a chain of {most} {what}",
        dead=True,
        finished_at=request.created_at,
    )


class Submitter:
    """Records requests and tells the scheduler; ``send`` reaches it, or does not (a hint). Without
    an ``admission`` nothing is refused: for what was promised already.
    """

    def __init__(
        self,
        store: Store,
        archives: Archives,
        send: Send,
        clock: Clock,
        admission: Door | None = None,
        microseconds: Clock = now_us,
        observe: Observe = lambda _request, _called: None,
        sampling: Sampling = NO_SAMPLING,
    ) -> None:
        self._store = store
        self._archives = archives
        self._send = send
        self._clock = clock
        self._admission = admission
        self._microseconds = microseconds
        self._observe = observe
        self._sampling = sampling

    def require_room(self, project_id: str) -> None:
        """Raise OverloadedError where a run of the project would."""
        if self._admission is not None:
            self._admission.require(project_id)

    def run(self, trigger: Trigger) -> Created:
        """Submit a run; durable when this returns.

        Raises StoreUnavailableError; then nothing was promised. Raises OverloadedError.
        """
        with self._admitted([trigger]):
            request, body = self._request(trigger)
            with logged(request.request_id):
                return self._submit([NewRequest(request, body)])[0]

    def run_all(self, triggers: Sequence[Trigger]) -> list[Created]:
        """Submit runs, each durable when this returns; what ``run`` raises, this does too, and then
        any of them may be recorded, save for OverloadedError. A payload that several have is kept
        once.
        """
        kept: dict[bytes, Body] = {}
        recorded: list[Created] = []
        with self._admitted(triggers):
            for start in range(0, len(triggers), _MOST_IN_A_WRITE):
                part = triggers[start : start + _MOST_IN_A_WRITE]
                recorded += self._submit([NewRequest(*self._request(each, kept)) for each in part])
        return recorded

    def call(self, trigger: Trigger, wait_ms: int) -> Submitted | None:
        """Submit a run that is in no store, for a caller who waits so long at most.

        Returns what was sent, ``None`` where the scheduler could not be reached.
        """
        request, body = self._request(trigger)
        request = replace(request, retries=0, expires_at=request.created_at + wait_ms)
        call = Submitted(request=request, input=body, recorded=False)
        with logged(request.request_id):
            if not self._send(call):
                return None
            self._observe(request, True)
            return call

    def record_call(self, call: Submitted, function: Function) -> Created:
        """Record a call of a function whose caller waits no longer: from now on it is an
        asynchronous request.

        It is on its way already: the scheduler finds out how far it came.
        """
        request = replace(
            call.request,
            status=Status.RUNNING,
            reply_to=None,
            expires_at=call.request.created_at + lifetime_ms(function),
        )
        with logged(request.request_id):
            return self._store.create_requests([NewRequest(request, call.input)])[0]

    def build(self, version: Version, user_id: str) -> Created:
        """Submit the build of a version; ``require_room`` is for before its upload is kept."""
        now = self._clock()
        request = Request(
            request_id=version.build_request_id,
            kind="build",
            function_id=version.function_id,
            project_id=version.project_id,
            user_id=user_id,
            source="upload",
            version=version.number,
            created_at=now,
            expires_at=now + limits.ASYNC_LIFETIME_MS,
            next_run_at=now,
        )
        with logged(request.request_id):
            return self._submit([NewRequest(request, None)])[0]

    def _admitted(self, triggers: Sequence[Trigger]) -> AbstractContextManager[None]:
        if self._admission is None:
            return nullcontext()
        return self._admission.admitted([each.function.project_id for each in triggers])

    def _most_runs(self, project_id: str) -> int | None:
        return None if self._admission is None else self._admission.most_runs(project_id)

    def _kept(self, payload: bytes | Body, kept: dict[bytes, Body]) -> Body:
        if isinstance(payload, Body):
            return payload
        if payload not in kept:
            kept[payload] = self._archives.keep(payload)
        return kept[payload]

    def _request(
        self, trigger: Trigger, kept: dict[bytes, Body] | None = None
    ) -> tuple[Request, Body]:
        """Return the request that is asked for, and its input, which is kept by then."""
        now = self._clock()
        function, parent = trigger.function, trigger.parent
        identity = request_id(function.project_id, function.function_id, trigger.cause)
        body = self._kept(trigger.payload, {} if kept is None else kept)
        starts = max(now, trigger.not_before or now)
        request = Request(
            request_id=identity,
            function_id=function.function_id,
            project_id=function.project_id,
            user_id=trigger.user_id,
            caller_project_id=trigger.caller_project_id,
            most_runs=self._most_runs(function.project_id),
            source=trigger.cause.kind,
            event=self._sampling.begun(identity, trigger.attributes),
            parent_id=None if parent is None else parent.request_id,
            root_id=None if parent is None else parent.root_id or parent.request_id,
            depth=0 if parent is None else parent.depth + 1,
            chain_budget=trigger.budget,
            replay_of=trigger.replay_of,
            retries=function.retries,
            reply_to=trigger.reply_to,
            input_sha256=body.sha256,
            created_at=now,
            expires_at=starts + lifetime_ms(function),
            next_run_at=starts,
            status=Status.QUEUED if starts == now else Status.SCHEDULED,
            timing=Timing(accepted=self._microseconds()),
        )
        return _within_chain(request), body

    def _submit(self, new: Sequence[NewRequest]) -> list[Created]:
        recorded = self._store.create_requests(new)
        for item, created in zip(new, recorded, strict=True):
            if not created.new:
                continue
            self._observe(created.request, False)
            if created.request.status is Status.QUEUED:
                self._send(Submitted(request=created.request, input=item.input))
        return recorded
