"""The one door: whatever happened becomes requests here, recorded first and then sent.

A request's id comes from its cause, and recording is create-if-absent: the same cause asked twice,
by two agents or a client that repeats itself, is one request.
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.archives import Archives
from pratai_common.clock import Clock
from pratai_common.log_context import logged
from pratai_common.messages import Message, Submitted
from pratai_common.records import Body, Function, Request, Status, Version
from pratai_common.store.base import Created, NewRequest, Store

Send = Callable[[Message], object]


class Cause(msgspec.Struct, frozen=True):
    """Why a request exists. ``kind`` names the sort of cause, ``name`` is unique within it."""

    kind: str
    name: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run, and why. ``payload`` is JSON text, ``attributes`` what else is known of
    the event; ``reply_to`` names the API process whose caller waits for the result.
    """

    function: Function
    user_id: str
    cause: Cause
    payload: bytes
    attributes: dict[str, Any] | None = None
    replay_of: str | None = None
    reply_to: str | None = None


def request_id(project_id: str, function_id: str, cause: Cause) -> str:
    """Return the id that a cause gives: the same for the same cause, for ever."""
    parts = msgspec.msgpack.encode((project_id, function_id, cause.kind, cause.name))
    return str(uuid.UUID(bytes=hashlib.sha256(parts).digest()[:16]))


class Submitter:
    """Records requests and tells the scheduler; ``send`` reaches it, or does not (a hint)."""

    def __init__(self, store: Store, archives: Archives, send: Send, clock: Clock) -> None:
        self._store = store
        self._archives = archives
        self._send = send
        self._clock = clock

    def run(self, event: Event) -> Created:
        """Submit a run; durable when this returns.

        Raises StoreUnavailableError; then nothing was promised.
        """
        request, body = self._request(event)
        with logged(request.request_id):
            return self._submit([NewRequest(request, body)])[0]

    def call(self, event: Event, wait_ms: int) -> Submitted | None:
        """Submit a run that is in no store, for a caller who waits so long at most.

        Returns what was sent, ``None`` where the scheduler could not be reached.
        """
        request, body = self._request(event)
        request = replace(request, retries=0, expires_at=request.created_at + wait_ms)
        call = Submitted(request=request, input=body, recorded=False)
        with logged(request.request_id):
            return call if self._send(call) else None

    def record_call(self, call: Submitted) -> Created:
        """Record a call whose caller waits no longer: from now on it is an asynchronous request.

        It is on its way already: the scheduler finds out how far it came.
        """
        request = replace(
            call.request,
            status=Status.RUNNING,
            reply_to=None,
            expires_at=call.request.created_at + limits.ASYNC_LIFETIME_MS,
        )
        with logged(request.request_id):
            return self._store.create_requests([NewRequest(request, call.input)])[0]

    def build(self, version: Version, user_id: str) -> Created:
        """Submit the build of a version."""
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

    def _request(self, event: Event) -> tuple[Request, Body]:
        """Return the request that an event asks for, and its input, which is kept by then."""
        now = self._clock()
        function = event.function
        body = self._archives.keep(event.payload)
        request = Request(
            request_id=request_id(function.project_id, function.function_id, event.cause),
            function_id=function.function_id,
            project_id=function.project_id,
            user_id=event.user_id,
            source=event.cause.kind,
            event=event.attributes,
            replay_of=event.replay_of,
            retries=function.retries,
            reply_to=event.reply_to,
            input_sha256=body.sha256,
            created_at=now,
            expires_at=now + limits.ASYNC_LIFETIME_MS,
            next_run_at=now,
        )
        return request, body

    def _submit(self, new: Sequence[NewRequest]) -> list[Created]:
        recorded = self._store.create_requests(new)
        for item, created in zip(new, recorded, strict=True):
            if created.new:
                self._send(Submitted(request=created.request, input=item.input))
        return recorded
