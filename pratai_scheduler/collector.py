"""Settles requests: the one party that writes how they ended.

A result is acknowledged only after it is stored and what follows from it is done, so a node that
repeats itself after a crash drives the same steps again, and they change nothing twice. One that
cannot be kept leaves the others alone.

A synchronous call is in no store until its result is here: its caller is answered first, then
request and result are recorded, by ``recorder.py`` a moment later with others. It has one attempt;
what its node could not run is not recorded.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pratai_common.archives import Archives
from pratai_common.clock import Clock, now_us
from pratai_common.errors import ArchivesUnavailableError, DecodeError, Reason
from pratai_common.log_context import logged
from pratai_common.messages import (
    Answer,
    AttemptNews,
    LogPiece,
    Message,
    MessageDecoder,
    Result,
    Stored,
    Submitted,
    Ticket,
)
from pratai_common.outcome import settle
from pratai_common.ration import Ration
from pratai_common.records import (
    Body,
    LogChunk,
    Request,
    Status,
)
from pratai_common.store.base import NewRequest, RequestChange, Store
from pratai_common.submit import Observe
from pratai_common.tokens import TokenKey
from pratai_scheduler.builds import Builds
from pratai_scheduler.endings import Ended
from pratai_scheduler.follow_ups import FollowUps
from pratai_scheduler.log_room import LogRoom
from pratai_scheduler.settlement import Arrived, Settlement

LOG = logging.getLogger(__name__)


class Sends(NamedTuple):
    """How a collector speaks to others: to a node and an API process by name. All are hints.

    ``apis`` names the API processes that live.
    """

    to_node: Callable[[str, Message], object]
    to_api: Callable[[str, Message], object]
    to_scheduler: Callable[[Message], object]
    apis: Callable[[], frozenset[str]]


class Observers(NamedTuple):
    """Who is told of each change that a result has made to a request, and of each request that
    follows from one.
    """

    settled: Observe
    submitted: Observe


UNOBSERVED = Observers(lambda _request, _called: None, lambda _request, _called: None)


class AnsweredCall(NamedTuple):
    """A synchronous call whose caller has the answer, and what is to be recorded of it."""

    arrived: Arrived
    record: NewRequest


class Collector:
    """See the module. ``later`` has ``record`` called, perhaps by another thread; it says ``False``
    where it does not, and then calls are recorded at once. ``observers`` are told of requests as
    they stand in the store.
    """

    def __init__(
        self,
        store: Store,
        archives: Archives,
        key: TokenKey,
        sends: Sends,
        clock: Clock,
        later: Callable[[Sequence[AnsweredCall]], bool] = lambda _: False,
        microseconds: Clock = now_us,
        observers: Observers = UNOBSERVED,
    ) -> None:
        self._store = store
        self._archives = archives
        self._key = key
        self._sends = sends
        self._clock = clock
        self._later = later
        self._microseconds = microseconds
        self._observe = observers.settled
        self._builds = Builds(store, sends.to_scheduler, clock)
        self._follow_ups = FollowUps(
            store, archives, sends.to_scheduler, clock, observers.submitted
        )
        self._log_room = LogRoom()
        self._ration = Ration()
        self._calls: MessageDecoder[Submitted] = MessageDecoder(Submitted)
        self.refused = 0

    def receive(self, messages: Iterable[AttemptNews]) -> None:
        """Store logs, then settle results, each in one write for all that arrived."""
        genuine = [message for message in messages if self._genuine(message)]
        self._store_logs([message for message in genuine if isinstance(message, LogPiece)])
        results = [self._kept(message) for message in genuine if isinstance(message, Result)]
        self._settle([each for each in results if each is not None])

    def tick(self) -> None:
        """Record what follows from ends behind which a collector died."""
        self._follow_ups.sweep()

    def _genuine(self, message: AttemptNews) -> bool:
        return self._key.verify(message) or self._refuse(message, "wrong token")

    def _refuse(self, message: AttemptNews, why: str) -> bool:
        self.refused += 1
        if (suffix := self._ration.take()) is not None:
            with logged(message.request_id):
                LOG.warning("dropped a message: %s%s", why, suffix)
        return False

    def _store_logs(self, pieces: list[LogPiece]) -> None:
        cut = [(piece, self._log_room.cut(piece)) for piece in pieces]
        self._store.add_log_chunks(
            [
                LogChunk(
                    request_id=piece.request_id,
                    attempt=piece.attempt,
                    seq=piece.seq,
                    project_id=piece.project_id,
                    content=content,
                )
                for piece, content in cut
                if content is not None
            ]
        )

    def _kept(self, result: Result) -> Arrived | None:
        """Return a result with its body as the store keeps it and the call that it came with;
        ``None`` for one that cannot be settled: where it is genuine, it will come again.
        """
        try:
            call = None if result.ticket is None else self._opened(result, result.ticket)
            return Arrived(self._timed(result), self._body(result.output), call)
        except DecodeError as error:
            self._refuse(result, str(error))
        except ArchivesUnavailableError as error:
            with logged(result.request_id):
                LOG.error("its result was not kept: %s", error)
        return None

    def _timed(self, result: Result) -> Result:
        if result.timing is None:
            return result
        return replace(result, timing=replace(result.timing, settled=self._microseconds()))

    def _opened(self, result: Result, ticket: Ticket) -> Submitted:
        """Return the call in a ticket; raises DecodeError where it is none of this result."""
        if not self._key.genuine(ticket):
            raise DecodeError("wrong ticket")
        call = self._calls.decode([ticket.record])
        if call.request.request_id != result.request_id:
            raise DecodeError("the ticket is of another request")
        return call

    def _body(self, body: Body | None) -> Body | None:
        """Return a body inline only while it is small."""
        if body is None or body.content is None:
            return body
        return self._archives.keep(body.content)

    def record(self, calls: Sequence[AnsweredCall]) -> None:
        """Record calls, and what follows from their ends, before any of it is acknowledged."""
        self._write(calls, [])

    def _settle(self, arrived: Sequence[Arrived]) -> None:
        """Answer calls; settle and record what arrived, unless it is recorded later."""
        if not arrived:
            return
        self._builds.finish_refused([each.result for each in arrived])
        calls, recorded = self._answer_calls(arrived)
        if calls and self._later(calls):
            calls = []
        self._write(calls, recorded)

    def _write(self, calls: Sequence[AnsweredCall], recorded: Sequence[Arrived]) -> None:
        """Write ends, and what follows from them, before any of it is acknowledged."""
        ended, known = self._create(calls)
        changed = self._settle_recorded([*recorded, *known])
        left = self._follow_ups.record([*ended, *changed])
        for each in (*(call.arrived for call in calls), *recorded):
            with logged(each.result.request_id):
                _tell(each.result)
                if each.result.request_id not in left:
                    self._acknowledge(each.result)

    def _settle_recorded(self, arrived: Sequence[Arrived]) -> list[Ended]:
        """Settle recorded requests, and tell who waits for them; returns those that have ended."""
        if not arrived:
            return []
        listening = self._sends.apis()
        settlements = [Settlement(each, listening, self._clock) for each in arrived]
        changes = map(RequestChange, (each.result.request_id for each in arrived), settlements)
        after = self._store.change_requests(list(changes))
        ended = []
        for each, settlement, request in zip(arrived, settlements, after, strict=True):
            with logged(each.result.request_id):
                self._tell_who_waits(each, request)
            if request is not None and settlement.made:
                self._observe(request, False)
            if request is not None and request.status.final:
                ended.append(settlement.ended(request))
        return ended

    def _tell_who_waits(self, arrived: Arrived, request: Request | None) -> None:
        """Answer the caller of a recorded request as it is now, or finish a build. Repeatable."""
        result = arrived.result
        if request is None:
            if arrived.call is None:
                LOG.warning("a result of attempt %d of what is not stored", result.attempt)
        elif not request.status.final:
            return
        elif request.kind == "build":
            self._builds.finish(request)
        elif arrived.call is None:
            self._answer(request, arrived.output)

    def _acknowledge(self, result: Result) -> None:
        """Tell a node that it may forget its result; a scheduler's verdict has no node."""
        if result.node:
            stored = Stored(request_id=result.request_id, attempt=result.attempt)
            self._sends.to_node(result.node, stored)

    # Synchronous calls

    def _answer_calls(self, arrived: Sequence[Arrived]) -> tuple[list[AnsweredCall], list[Arrived]]:
        """Answer calls; returns those, and the results of recorded requests.

        Among the latter are those of calls that did not run, of which nothing may be recorded.
        """
        recorded: list[Arrived] = []
        answered: list[AnsweredCall] = []
        for each in arrived:
            request = None if each.call is None else self._ended_call(each, each.call)
            if each.call is None or request is None:
                recorded.append(each)
                continue
            output = each.output if request.status is Status.SUCCESS else None
            self._answer(request, output)
            record = NewRequest(request, each.call.input, output)
            answered.append(AnsweredCall(each, record))
        return answered, recorded

    def _create(self, calls: Sequence[AnsweredCall]) -> tuple[list[Ended], list[Arrived]]:
        """Record calls; returns their ends, and the results of those that the API has recorded
        before, because their callers waited no longer.
        """
        if not calls:
            return [], []
        created = self._store.create_requests([call.record for call in calls])
        pairs = list(zip(calls, created, strict=True))
        ended = [Ended(made.request, call.record.result) for call, made in pairs if made.new]
        for each in ended:
            self._observe(each.request, True)
        return ended, [call.arrived for call, made in pairs if not made.new]

    def _ended_call(self, arrived: Arrived, call: Submitted) -> Request | None:
        """Return the request of a call as it ended, ``None`` for one that did not run."""
        if arrived.result.reason != Reason.NODE_LOST:
            return settle(call.request, arrived.result, self._clock())
        lost = replace(call.request, reason=Reason.NODE_LOST, message=arrived.result.message)
        self._answer(lost, None)
        return None

    def _answer(self, request: Request, output: Body | None) -> None:
        """Tell the API process whose caller waits how a request ended."""
        if request.reply_to is not None:
            answer = Answer(
                request_id=request.request_id,
                reason=request.reason,
                message=request.message,
                output=output if request.reason is None else None,
                response=request.response,
            )
            self._sends.to_api(request.reply_to, answer)


def _tell(result: Result) -> None:
    """Log an end, a scheduler's verdict louder: what ran, its node tells of."""
    level = logging.DEBUG if result.node else logging.INFO
    LOG.log(level, "attempt %d: %s", result.attempt, result.reason or "success")
