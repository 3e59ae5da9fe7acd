"""The wire format does not change unnoticed: golden bytes, and what is no message of ours."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import messages
from pratai_common.errors import DecodeError
from pratai_common.messages import (
    Answer,
    Build,
    Bye,
    Cancel,
    CollectorMessage,
    Done,
    Drain,
    Ended,
    FunctionChanged,
    Heartbeat,
    Hello,
    Job,
    LogPiece,
    Message,
    MessageDecoder,
    NodeMessage,
    NodeState,
    Package,
    Result,
    SchedulerMessage,
    Stored,
    Submitted,
    encode,
)
from pratai_common.records import Body, Request, ResponseHead

CLAIM = {
    "request_id": "r",
    "attempt": 1,
    "node": "n",
    "epoch": 2,
    "project_id": "p",
    "token": b"t",
}
STATE = {
    "node": "n",
    "instance": "i",
    "address": "a",
    "ip": "1",
    "pid": 3,
    "version": "v",
    "joined_at": 4,
    "slots": 5,
    "memory": 6,
    "runtimes": {"python3": "image"},
    "running": (("r", 1, "f"),),
}
PACKAGE = Package(
    project_id="p",
    function_id="f",
    version=1,
    runtime="python3",
    archive_sha256="s",
    archive_url="http://a/s",
)
REQUEST = Request(
    request_id="r",
    function_id="f",
    project_id="p",
    user_id="u",
    source="response",
    parent_id="q",
    root_id="o",
    depth=2,
    chain_budget=3,
    following=True,
    created_at=1,
    expires_at=2,
    next_run_at=1,
)
HEAD = ResponseHead(status=201, headers={"X": "x"}, encoding="text")
ONE_OF_EACH: list[Message] = [
    Submitted(request=REQUEST, input=Body(sha256="s", size=2, content=b"{}")),
    Cancel(request_id="r", epoch=2),
    Answer(request_id="r", reason="exception", message="m", response=HEAD),
    FunctionChanged(function_id="f"),
    Hello(state=NodeState(**STATE)),  # type: ignore[arg-type]
    Heartbeat(state=NodeState(**STATE)),  # type: ignore[arg-type]
    Bye(node="n", instance="i"),
    Ended(node="n", instance="i", request_id="r", attempt=1),
    Done(node="n", instance="i", request_id="r", attempt=1),
    Job(
        **CLAIM,  # type: ignore[arg-type]
        instance="i",
        package=PACKAGE,
        function_name="f",
        memory=128,
        cpus=1.0,
        timeout=60,
        network="bridge",
        isolation="container",
        environment={"NAME": "value"},
        source="http",
        created_at=1,
        input=Body(sha256="s", size=2, content=b"{}"),
    ),
    Build(**CLAIM, instance="i", package=PACKAGE),  # type: ignore[arg-type]
    Drain(epoch=1),
    Result(**CLAIM, response=HEAD, started_at=1, finished_at=2),  # type: ignore[arg-type]
    LogPiece(**CLAIM, seq=0, content=b"x"),  # type: ignore[arg-type]
    Stored(request_id="r", attempt=1),
]
GOLDEN: dict[str, str] = json.loads((Path(__file__).parent / "golden_messages.json").read_text())


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda message: type(message).__name__)
def test_golden_bytes(message: Message) -> None:
    assert encode(message).hex() == GOLDEN[type(message).__name__]
    decoder: MessageDecoder[Message] = MessageDecoder(type(message))
    assert decoder.decode([bytes.fromhex(GOLDEN[type(message).__name__])]) == message


def test_every_message_has_golden_bytes() -> None:
    def leaves(kind: type) -> set[str]:
        below = kind.__subclasses__()
        return set().union(*(leaves(each) for each in below)) if below else {kind.__name__}

    assert leaves(messages.Message) == set(GOLDEN)


@pytest.mark.parametrize(
    ("inlet", "foreign"),
    [
        (SchedulerMessage, Stored(request_id="r", attempt=1)),
        (CollectorMessage, Stored(request_id="r", attempt=1)),
        (NodeMessage, Bye(node="n", instance="i")),
    ],
)
def test_an_inlet_takes_only_its_own(inlet: object, foreign: Message) -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(inlet)
    with pytest.raises(DecodeError, match="Invalid value"):
        decoder.decode([encode(foreign)])


def test_another_version_is_refused() -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(SchedulerMessage)
    frame = encode(Bye(node="n", instance="i"))
    with pytest.raises(DecodeError, match="protocol version 01, not 04"):
        decoder.decode([b"\x01" + frame[1:]])


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_no_bytes_raise_anything_else(frames: list[bytes]) -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(SchedulerMessage)
    with suppress(DecodeError):
        decoder.decode(frames)
