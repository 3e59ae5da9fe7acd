"""Daemons of two releases side by side: every inlet takes what the former release says.

``golden_messages_previous.json`` holds the bytes of the version before this one, as its release
sent them. ``SINCE`` says what its samples did not have yet.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from msgspec.structs import replace

from pratai_common.channels import Context, Inlet
from pratai_common.errors import DecodeError
from pratai_common.files import Folder
from pratai_common.inbox import Inbox
from pratai_common.messages import (
    ACCEPTED_VERSIONS,
    PROTOCOL_VERSION,
    Answer,
    Bye,
    CollectorMessage,
    Message,
    MessageDecoder,
    NodeMessage,
    NodeState,
    Result,
    SchedulerMessage,
    Submitted,
    encode,
)
from pratai_common.records import Request
from pratai_drivers.spool import Spool
from tests.unit.test_messages import GOLDEN, ONE_OF_EACH, STATE

PREVIOUS: dict[str, str] = json.loads(
    (Path(__file__).parent / "golden_messages_previous.json").read_text()
)
NEW = {"Lead"}
"""Messages that the former release did not know: it drops them."""

_NEW_IN_STATE = ("epoch", "clock", "spares", "provisions")
_FORMER_STATE = {
    "state": NodeState(  # type: ignore[arg-type]
        **{name: value for name, value in STATE.items() if name not in _NEW_IN_STATE}
    )
}
SINCE: dict[str, dict[str, Any]] = {
    "Hello": _FORMER_STATE,
    "Heartbeat": _FORMER_STATE,
    "Build": {"take_by": None},
    "Submitted": {
        "request": Request(
            request_id="r",
            function_id="f",
            project_id="p",
            user_id="u",
            source="http",
            created_at=1,
            expires_at=2,
            next_run_at=1,
        )
    },
    "Job": {
        "spares": None,
        "take_by": None,
        "counted": True,
        "timing": None,
        "secrets": (),
        "delegated": False,
        "secrets_url": None,
        "trust": None,
    },
    "Answer": {"response": None},
    "Result": {"response": None, "timing": None},
}
INLETS = {
    "scheduler": SchedulerMessage,
    "collector": CollectorMessage,
    "node": NodeMessage,
    "api": Answer,
    "spool": Result,
    "ticket": Submitted,
}


def taken(types: Any) -> list[Message]:
    """Return one of each message that an inlet takes, in both releases."""
    known = [each for each in ONE_OF_EACH if type(each).__name__ not in NEW]
    return [each for each in known if isinstance(each, types)]


def previous(message: Message) -> tuple[bytes, Message]:
    """Return a message as the former release sent it, and what that has to mean."""
    name = type(message).__name__
    return bytes.fromhex(PREVIOUS[name]), replace(message, **SINCE.get(name, {}))


def test_there_are_two_versions_and_bytes_of_each_message_in_both() -> None:
    assert PREVIOUS.keys() | NEW == GOLDEN.keys()
    assert {bytes.fromhex(each)[0] for each in PREVIOUS.values()} == {ACCEPTED_VERSIONS[0]}
    assert {bytes.fromhex(each)[0] for each in GOLDEN.values()} == {PROTOCOL_VERSION}
    assert ACCEPTED_VERSIONS == (PROTOCOL_VERSION - 1, PROTOCOL_VERSION)


@pytest.mark.parametrize("inlet", INLETS)
def test_an_inlet_takes_both_versions_side_by_side(inlet: str) -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(INLETS[inlet])
    messages = taken(INLETS[inlet])
    assert messages
    for new in messages:
        frame, old = previous(new)
        assert decoder.decode([frame]) == old
        assert decoder.decode([encode(new)]) == new
        assert decoder.decode([encode(old)]) == old  # the same thing, said by either release


@pytest.fixture
def inlet() -> Iterator[Inlet]:
    context: Context = zmq.Context()
    made = Inlet(context, "tcp://127.0.0.1:*")
    yield made
    made.close()
    context.term()


def test_old_and_new_daemons_speak_to_one_inlet(inlet: Inlet) -> None:
    """On real sockets, in turns; what neither release can have sent is dropped, and counted."""
    inbox: Inbox[Any] = Inbox(inlet, MessageDecoder(SchedulerMessage))
    context: Context = zmq.Context()
    old, new = context.socket(zmq.PUSH), context.socket(zmq.PUSH)
    for each in (old, new):
        each.connect(inlet.address)
    messages = taken(SchedulerMessage)
    for message in messages:
        old.send(previous(message)[0])
        new.send(encode(message))
    later = bytes([PROTOCOL_VERSION + 1])
    new.send(later + encode(messages[0])[1:])
    new.send(encode(Bye(node="last", instance="i")))
    received: list[Any] = []
    while sum(each == Bye(node="last", instance="i") for each in received) < 1 or (
        len(received) < 2 * len(messages) + 1
    ):
        got = inbox.receive(10_000, 100)
        assert got, received
        received += got
    expected = [*messages, *(previous(each)[1] for each in messages)]
    assert sorted(map(repr, received[:])) == sorted(
        map(repr, [*expected, Bye(node="last", instance="i")])
    )
    assert inbox.dropped == 1
    context.destroy(linger=0)


@pytest.mark.parametrize("version", [ACCEPTED_VERSIONS[0] - 1, PROTOCOL_VERSION + 1])
def test_versions_before_and_behind_are_refused(version: int) -> None:
    decoder: MessageDecoder[Bye] = MessageDecoder(Bye)
    frame = encode(Bye(node="n", instance="i"))
    with pytest.raises(DecodeError, match=f"protocol version {version:02x}, not 03 or 04"):
        decoder.decode([bytes([version]) + frame[1:]])
    assert decoder.decode([frame]) == Bye(node="n", instance="i")


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda message: type(message).__name__)
def test_fields_that_a_later_release_adds_are_passed_over(message: Message) -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(type(message))
    fields = {**msgspec.msgpack.decode(encode(message)[1:]), "added_later": {"any": [1]}}
    frame = bytes([PROTOCOL_VERSION]) + msgspec.msgpack.encode(fields)
    assert decoder.decode([frame]) == message


def test_a_result_that_the_former_release_left_in_the_spool_is_sent(tmp_path: Path) -> None:
    (result,) = taken(Result)
    frame, old = previous(result)
    (tmp_path / "r.1.result").write_bytes(frame)
    spool = Spool(Folder(tmp_path), 0)
    assert spool.get(("r", 1)) == old
    assert spool.due(0) == [("r", 1)]
