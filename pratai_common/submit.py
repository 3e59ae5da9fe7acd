"""The one door: whatever happened becomes requests here, recorded first and then sent.

A request's id comes from its cause, and recording is create-if-absent: the same cause asked twice,
by two agents or a client that repeats itself, is one request.
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence

import msgspec

from pratai_common import limits
from pratai_common.archives import Archives
from pratai_common.clock import Clock
from pratai_common.messages import Message, Submitted
from pratai_common.records import Function, Request, Version
from pratai_common.store.base import Created, NewRequest, Store

Send = Callable[[Message], object]


class Cause(msgspec.Struct, frozen=True):
    """Why a request exists. ``kind`` names the sort of cause, ``name`` is unique within it."""

    kind: str
    name: str


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

    def run(self, function: Function, user_id: str, cause: Cause, payload: bytes) -> Created:
        """Submit a run with a payload of JSON text; durable when this returns.

        Raises StoreUnavailableError; then nothing was promised.
        """
        now = self._clock()
        body = self._archives.keep(payload)
        request = Request(
            request_id=request_id(function.project_id, function.function_id, cause),
            function_id=function.function_id,
            project_id=function.project_id,
            user_id=user_id,
            source=cause.kind,
            input_sha256=body.sha256,
            created_at=now,
            expires_at=now + limits.ASYNC_LIFETIME_MS,
            next_run_at=now,
        )
        return self._submit([NewRequest(request, body)])[0]

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
        return self._submit([NewRequest(request, None)])[0]

    def _submit(self, new: Sequence[NewRequest]) -> list[Created]:
        recorded = self._store.create_requests(new)
        for item, created in zip(new, recorded, strict=True):
            if created.new:
                self._send(Submitted(request=created.request, input=item.input))
        return recorded
