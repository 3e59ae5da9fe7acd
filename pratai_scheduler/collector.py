"""Settles requests: the one party that writes how they ended.

A result is acknowledged only after it is stored and what follows from it is done, so a node that
repeats itself after a crash drives the same steps again, and they change nothing twice.

A synchronous call is in no store until its result is here: its caller is answered first, then
request and result are recorded. It has one attempt; what its node could not run is not recorded.
"""

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from pratai_common import limits
from pratai_common.archives import Archives
from pratai_common.clock import Clock
from pratai_common.errors import Reason
from pratai_common.messages import (
    Answer,
    CollectorMessage,
    FunctionChanged,
    LogPiece,
    Message,
    MessageDecoder,
    Result,
    Stored,
    Submitted,
    Ticket,
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
from pratai_common.store.base import Changed, NewRequest, RequestChange, Store
from pratai_common.tokens import TokenKey

LOG = logging.getLogger(__name__)


class Sends(NamedTuple):
    """How a collector speaks to others: to a node and an API process by name. All are hints."""

    to_node: Callable[[str, Message], object]
    to_api: Callable[[str, Message], object]
    to_scheduler: Callable[[Message], object]


class _Settled(NamedTuple):
    result: Result
    output: Body | None
    call: Submitted | None


class Collector:
    """See the module."""

    def __init__(
        self,
        store: Store,
        archives: Archives,
        key: TokenKey,
        sends: Sends,
        clock: Clock,
    ) -> None:
        self._store = store
        self._archives = archives
        self._key = key
        self._sends = sends
        self._clock = clock
        self._calls: MessageDecoder[Submitted] = MessageDecoder(Submitted)
        self.refused = 0

    def receive(self, messages: Iterable[CollectorMessage]) -> None:
        """Store logs, then settle results, each in one write for all that arrived."""
        genuine = [message for message in messages if self._genuine(message)]
        self._store_logs([message for message in genuine if isinstance(message, LogPiece)])
        self._settle([message for message in genuine if isinstance(message, Result)])

    def tick(self) -> None:
        """Do nothing: everything a collector does, a message asks for."""

    def _genuine(self, message: CollectorMessage) -> bool:
        if self._key.verify(message) and self._ticket_fits(message):
            return True
        self.refused += 1
        LOG.warning("dropped a message on request %s: wrong token", message.request_id)
        return False

    def _ticket_fits(self, message: CollectorMessage) -> bool:
        ticket = message.ticket if isinstance(message, Result) else None
        if ticket is None:
            return True
        return self._key.genuine(ticket) and (
            self._opened(ticket).request.request_id == message.request_id
        )

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
        settled = [_Settled(each, self._kept(each), self._call(each)) for each in results]
        recorded = [each for each in settled if not self._settle_call(each)]
        changes = [
            RequestChange(each.result.request_id, _Settlement(each, self._clock))
            for each in recorded
        ]
        after = self._store.change_requests(changes) if changes else []
        for each, request in zip(recorded, after, strict=True):
            self._follow_up(each, request)
        for result in results:
            if result.node:
                stored = Stored(request_id=result.request_id, attempt=result.attempt)
                self._sends.to_node(result.node, stored)

    def _follow_up(self, settled: _Settled, request: Request | None) -> None:
        """Do what follows from a recorded request as it is now. Repeatable."""
        result = settled.result
        if request is None:
            if settled.call is None:
                LOG.warning("a result for request %s, which is not stored", result.request_id)
        elif not request.status.final:
            return
        elif request.kind == "build":
            self._finish_build(request)
        elif request.reply_to is not None and settled.call is None:
            self._answer(request, settled.output)

    # Synchronous calls

    def _call(self, result: Result) -> Submitted | None:
        """Return the call that a result came with; its ticket is known to be genuine."""
        return None if result.ticket is None else self._opened(result.ticket)

    def _opened(self, ticket: Ticket) -> Submitted:
        return self._calls.decode([ticket.record])

    def _settle_call(self, settled: _Settled) -> bool:
        """Answer a call and record it; ``False`` where the rest is that of a recorded request:
        its caller waited no longer, so that the API has recorded it, or it did not run.
        """
        if settled.call is None:
            return False
        request = settle(settled.call.request, settled.result, self._clock())
        if request is None or not request.status.final:
            lost = replace(settled.call.request, reason=Reason.NODE_LOST)
            self._answer(replace(lost, message=settled.result.message), None)
            return False
        self._answer(request, settled.output)
        output = settled.output if request.status is Status.SUCCESS else None
        return self._store.create_requests([NewRequest(request, settled.call.input, output)])[0].new

    def _answer(self, request: Request, output: Body | None) -> None:
        """Tell the API process whose caller waits how a request ended."""
        if request.reply_to is not None:
            answer = Answer(
                request_id=request.request_id,
                reason=request.reason,
                message=request.message,
                output=output if request.reason is None else None,
            )
            self._sends.to_api(request.reply_to, answer)

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
        self._sends.to_scheduler(FunctionChanged(function_id=request.function_id))


class _Settlement:
    """The change that a result makes to its request."""

    def __init__(self, settled: _Settled, clock: Clock) -> None:
        self._result = settled.result
        self._output = settled.output
        self._clock = clock

    def __call__(self, request: Request) -> Changed | None:
        after = settle(request, self._result, self._clock())
        if after is None:
            return None
        return Changed(after, self._output if after.status is Status.SUCCESS else None)


def _after_build(
    function: Function, request: Request, built: bool, error: str | None, now: int
) -> Function | None:
    """Return the function as a finished build leaves it; what was built is not replaced by what
    is older, nor by what failed.
    """
    number = request.version or 0
    if number <= function.newest_built:
        return None
    if built:
        return replace(
            function,
            version=number,
            newest_built=number,
            status=FunctionStatus.ACTIVE,
            build_error=None,
            updated_at=now,
        )
    status = function.status if function.version is not None else FunctionStatus.ERROR
    return replace(function, status=status, build_error=error, updated_at=now)
