"""What it costs that messages between daemons are encrypted and their senders known.

A message: processor time of both ends together, from a message to be sent to one that was decoded
and may be believed. A synchronous call: the whole platform with an engine that does nothing, with
keys and without, its calls one after another.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import zmq

from benchmarks.client import Client
from benchmarks.common import Contestant, Figure, Values, interleaved, milliseconds, ratio
from pratai_common.channels import Context, Inlet, Outlets, Peer
from pratai_common.curve import Curve
from pratai_common.inbox import Inbox
from pratai_common.key_files import make_pair, read_pair, secret_path
from pratai_common.key_ring import KeyRing
from pratai_common.messages import Message, MessageDecoder, SchedulerMessage, Submitted
from pratai_common.records import Body, Request
from pratai_common.senders import Identity, Role
from tests.packages import ECHO
from tests.stack import Stack

_CALLS = 50
_AT_A_TIME, _TIMES = 100, 50
_API, _SCHEDULER = Identity(Role.API), Identity(Role.SCHEDULER)
_BODIES = {"small": 100, "32 KiB": 32 * 1024}


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        yield _messages(Path(folder), rounds)
    with tempfile.TemporaryDirectory() as folder:
        yield _calls(Path(folder), rounds)


def _messages(folder: Path, rounds: int) -> Figure:
    ring = KeyRing(folder)
    for each in (_API, _SCHEDULER):
        make_pair(folder, each)

    def curve(me: Identity) -> Curve:
        return Curve(me, read_pair(secret_path(folder, me)), ring)

    with ExitStack() as opened:
        plain = opened.enter_context(_Ends(None, None))
        secured = opened.enter_context(_Ends(curve(_API), curve(_SCHEDULER)))
        contestants: list[Contestant] = [
            lambda ends=ends, name=name, size=size, text=text: {
                f"{name}, {text}": ends.microseconds(_message(size))
            }
            for text, size in _BODIES.items()
            for name, ends in (("plain", plain), ("curve", secured))
        ]
        samples = interleaved(contestants, rounds)
    return Figure(
        "curve-message",
        "one message, sent and received, processor time of both ends",
        "µs",
        samples,
        [ratio(f"curve, {text}", f"plain, {text}") for text in _BODIES],
        [f"each value is the mean of {_AT_A_TIME * _TIMES} messages"],
    )


class _Ends:
    """A sender and a receiver, each in a context of its own."""

    def __init__(self, sender: Curve | None, receiver: Curve | None) -> None:
        self._contexts: list[Context] = [zmq.Context(), zmq.Context()]
        self._outlets = Outlets(self._contexts[0], sender)
        self._inlet = Inlet(self._contexts[1], "tcp://127.0.0.1:*", receiver)
        self._inbox: Inbox[Message] = Inbox(self._inlet, MessageDecoder(SchedulerMessage))
        self._peer = Peer(self._inlet.address, _SCHEDULER)

    def __enter__(self) -> "_Ends":
        return self

    def __exit__(self, *_: object) -> None:
        self._outlets.close()
        self._inlet.close()
        for context in self._contexts:
            context.term()

    def microseconds(self, message: Message) -> float:
        """Return what a message takes."""
        self._pass_on(message)
        began = time.process_time()
        for _ in range(_TIMES):
            self._pass_on(message)
        return (time.process_time() - began) / (_TIMES * _AT_A_TIME) * 1e6

    def _pass_on(self, message: Message) -> None:
        sent = received = 0
        while received < _AT_A_TIME:
            while sent < _AT_A_TIME and self._outlets.send(self._peer, message):
                sent += 1
            received += len(self._inbox.receive(10_000, _AT_A_TIME))
        assert self._inbox.dropped == 0


def _calls(folder: Path, rounds: int) -> Figure:
    with ExitStack() as opened:
        contestants: list[Contestant] = []
        for name, curve in (("plain", False), ("curve", True)):
            place = folder / name
            place.mkdir()
            stack = Stack(place, {"driver": {"engine": "null"}}, curve=curve).start()
            opened.callback(stack.stop)
            path = f"/v1/functions/{stack.function(ECHO, type='wait_for_response')}"
            contestants.append(_caller(name, opened.enter_context(Client(stack.url)), path))
        samples = interleaved(contestants, rounds)
    return Figure(
        "curve-call",
        "one synchronous call, control path alone",
        "ms",
        samples,
        [ratio("curve", "plain")],
        [f"each value is the mean of {_CALLS} calls, one after another"],
    )


def _caller(name: str, client: Client, path: str) -> Contestant:
    def calls() -> None:
        for number in range(_CALLS):
            client.called(path, number)

    def measured() -> Values:
        return {name: milliseconds(calls) / _CALLS}

    return measured


def _message(size: int) -> Message:
    """Return a request as it travels, with an input of so many bytes."""
    identity = "9d8e7c40-7acd-fd3a-c353-7f82c24b7610"
    request = Request(
        request_id=identity,
        function_id=identity,
        project_id="default",
        user_id="default",
        source="http",
        created_at=1,
        expires_at=2,
        next_run_at=1,
    )
    return Submitted(request=request, input=Body.inline(b"x" * size))
