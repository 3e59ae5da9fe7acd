"""API processes and agents, and the clients that remember what they were told."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from pratai_common.messages import Answer, Cancel, MessageDecoder, Submitted
from pratai_common.records import Function, Request
from pratai_common.store.base import Changed, RequestChange
from pratai_common.submit import Cause, Submitter, Trigger
from tests.simulation.catalogue import BUILT, version
from tests.simulation.daemons import SCHEDULER, NoArchives, World
from tests.simulation.ledger import Ledger
from tests.simulation.process import Process

CALL_WAITS = (0, 3_000, 30_000)


class Wanted(NamedTuple):
    """What a client asks for, by a key under which it may ask again."""

    function_id: str
    key: str
    delay_ms: int = 0


class _Waiting(NamedTuple):
    call: Submitted
    function: Function


class ApiDaemon:
    """An API process, and those who call it."""

    decoder: MessageDecoder[Any] = MessageDecoder(Answer)

    def __init__(self, world: World, process: Process, ledger: Ledger) -> None:
        self.process = process
        self.waiting: dict[str, _Waiting] = {}
        self._world = world
        self._clock = world.clock_of(process)
        self._ledger = ledger
        self._store = world.store_of(process)
        self._submitter = Submitter(
            self._store,
            NoArchives(),  # type: ignore[arg-type]
            lambda message: world.send(process, SCHEDULER, message),
            self._clock,
        )

    def submit(self, wanted: Wanted, waits: bool) -> None:
        """Record an event's request; its client is told 202, or 503."""
        created = self._submitter.run(self._trigger(wanted, waits))
        self._ledger.accept(created.request.request_id)

    def call(self, wanted: Wanted, wait_ms: int) -> None:
        """Have somebody wait for a call."""
        call = self._submitter.call(self._trigger(wanted, waits=True), wait_ms)
        if call is not None:
            function = self._function(wanted.function_id)
            self.waiting[call.request.request_id] = _Waiting(call, function)

    def upload(self, number: int) -> None:
        """Have a version built."""
        made = version(BUILT, number)
        self._store.create_version(made)
        created = self._submitter.build(made, "u")
        self._ledger.accept(created.request.request_id)

    def cancel(self, request_id: str) -> None:
        """Record the wish that a request ends, and tell the scheduler."""
        now = self._clock()

        def wish(request: Request) -> Changed | None:
            if request.status.final or request.cancel_requested_at is not None:
                return None
            due = min(request.next_run_at, now)
            return Changed(replace(request, cancel_requested_at=now, next_run_at=due))

        self._store.change_requests([RequestChange(request_id, wish)])
        self._world.send(self.process, SCHEDULER, Cancel(request_id=request_id))

    def receive(self, messages: Sequence[Answer]) -> None:
        """Answer who waits."""
        for message in messages:
            if self.waiting.pop(message.request_id, None) is not None:
                self._ledger.answer(message.request_id, message.reason)

    def tick(self) -> None:
        """End the waits whose time is over: a call is recorded then, and its client told 202."""
        for identity, (call, function) in list(self.waiting.items()):
            if call.request.expires_at < self._clock():
                del self.waiting[identity]
                self._ledger.coverage.events["a caller waited no longer"] += 1
                created = self._submitter.record_call(call, function)
                self._ledger.accept(created.request.request_id)

    def _trigger(self, wanted: Wanted, waits: bool) -> Trigger:
        return Trigger(
            function=self._function(wanted.function_id),
            user_id="u",
            cause=Cause("http", wanted.key),
            payload=b"1",
            reply_to=self.process.name if waits else None,
            not_before=self._clock() + wanted.delay_ms if wanted.delay_ms else None,
        )

    def _function(self, function_id: str) -> Function:
        return self._store.contents.functions.rows[function_id]


class AgentDaemon:
    """An agent that fires ticks of a timer, all that are due and were not fired before."""

    decoder: MessageDecoder[Any] = MessageDecoder(Answer)
    EVERY_MS = 10_000

    def __init__(self, world: World, process: Process, ledger: Ledger, began: int) -> None:
        self.process = process
        self._world = world
        self._clock = world.clock_of(process)
        self._ledger = ledger
        self._store = world.store_of(process)
        self._next = began
        self._submitter = Submitter(
            self._store,
            NoArchives(),  # type: ignore[arg-type]
            lambda message: world.send(process, SCHEDULER, message),
            self._clock,
        )

    def receive(self, messages: Sequence[Any]) -> None:
        """Nobody sends to an agent."""

    def tick(self) -> None:
        """Fire what is due, two functions at each tick."""
        while self._next <= self._world.now and not self._ledger.closed:
            functions = self._store.contents.functions.rows
            created = self._submitter.run_all(
                [
                    Trigger(
                        function=functions[function_id],
                        user_id="u",
                        cause=Cause("timer", f"{function_id}/{self._next}"),
                        payload=b"1",
                    )
                    for function_id in ("g1", "f2")
                ]
            )
            for each in created:
                self._ledger.accept(each.request.request_id)
            self._next += self.EVERY_MS
