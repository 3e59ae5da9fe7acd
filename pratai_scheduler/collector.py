"""Settles requests: the one party that writes how they ended.

A result is acknowledged only after it is stored and what follows from it is done, so a node that
repeats itself after a crash drives the same steps again, and they change nothing twice.
"""

import logging
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.archives import Archives
from pratai_common.clock import Clock
from pratai_common.messages import (
    CollectorMessage,
    FunctionChanged,
    LogPiece,
    Message,
    Result,
    Stored,
)
from pratai_common.outcome import settle
from pratai_common.records import (
    Body,
    Function,
    FunctionStatus,
    LogChunk,
    Request,
    Status,
    Version,
)
from pratai_common.store.base import Changed, RequestChange, Store
from pratai_common.tokens import TokenKey

LOG = logging.getLogger(__name__)


class Collector:
    """See the module. ``acknowledge`` reaches a node by its name; ``to_scheduler`` is a hint."""

    def __init__(
        self,
        store: Store,
        archives: Archives,
        key: TokenKey,
        acknowledge: Callable[[str, Message], object],
        to_scheduler: Callable[[Message], object],
        clock: Clock,
    ) -> None:
        self._store = store
        self._archives = archives
        self._key = key
        self._acknowledge = acknowledge
        self._to_scheduler = to_scheduler
        self._clock = clock
        self.refused = 0

    def receive(self, messages: Iterable[CollectorMessage]) -> None:
        """Store logs, then settle results, each in one write for all that arrived."""
        genuine = [message for message in messages if self._genuine(message)]
        self._store_logs([message for message in genuine if isinstance(message, LogPiece)])
        self._settle([message for message in genuine if isinstance(message, Result)])

    def tick(self) -> None:
        """Do nothing: everything a collector does, a message asks for."""

    def _genuine(self, message: CollectorMessage) -> bool:
        if self._key.verify(message):
            return True
        self.refused += 1
        LOG.warning("dropped a message on request %s: wrong token", message.request_id)
        return False

    def _store_logs(self, pieces: list[LogPiece]) -> None:
        self._store.add_log_chunks(
            [
                LogChunk(
                    request_id=piece.request_id,
                    attempt=piece.attempt,
                    seq=piece.seq,
                    project_id=piece.project_id,
                    content=piece.content,
                )
                for piece in pieces
                if len(piece.content) <= limits.LOG_CHUNK_BYTES
            ]
        )

    def _settle(self, results: list[Result]) -> None:
        if not results:
            return
        changes = [
            RequestChange(result.request_id, _Settlement(result, self._kept(result), self._clock))
            for result in results
        ]
        settled = self._store.change_requests(changes)
        for result, request in zip(results, settled, strict=True):
            if request is None:
                LOG.warning("a result for request %s, which is not stored", result.request_id)
            elif request.kind == "build" and request.status.final:
                self._finish_build(request)
            if result.node:
                stored = Stored(request_id=result.request_id, attempt=result.attempt)
                self._acknowledge(result.node, stored)

    def _kept(self, result: Result) -> Body | None:
        """Return the result's body as the store keeps it: inline only while it is small."""
        body = result.output
        if body is None or body.content is None:
            return body
        return self._archives.keep(body.content)

    def _finish_build(self, request: Request) -> None:
        """Bring a version and its function to what the build ended with. Repeatable."""
        if request.version is None:
            return
        built = request.status is Status.SUCCESS
        error = None if built else request.message or request.reason
        status = FunctionStatus.ACTIVE if built else FunctionStatus.ERROR

        def finish_version(version: Version) -> Version:
            return replace(version, status=status, build_error=error)

        def finish_function(function: Function) -> Function | None:
            return _after_build(function, request, built, error, self._clock())

        self._store.change_version(request.function_id, request.version, finish_version)
        self._store.change_function(request.function_id, finish_function)
        self._to_scheduler(FunctionChanged(function_id=request.function_id))


class _Settlement:
    """The change that a result makes to its request."""

    def __init__(self, result: Result, output: Body | None, clock: Clock) -> None:
        self._result = result
        self._output = output
        self._clock = clock

    def __call__(self, request: Request) -> Changed | None:
        after = settle(request, self._result, self._clock())
        if after is None:
            return None
        return Changed(after, self._output if after.status is Status.SUCCESS else None)


def _after_build(
    function: Function, request: Request, built: bool, error: str | None, now: int
) -> Function | None:
    """Return the function as a finished build leaves it; a version in service is not replaced
    by an older one, nor by a failed one.
    """
    number = request.version or 0
    if function.version is not None and number <= function.version:
        return None
    if built:
        return replace(
            function,
            version=number,
            status=FunctionStatus.ACTIVE,
            build_error=None,
            updated_at=now,
        )
    status = function.status if function.version is not None else FunctionStatus.ERROR
    return replace(function, status=status, build_error=error, updated_at=now)
