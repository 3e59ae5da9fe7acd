"""The wire format does not change unnoticed: golden bytes, and what is no message of ours."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

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
    Lead,
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
from pratai_common.records import Body, Request, ResponseHead, SecretUse, Timing

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
    "epoch": 2,
    "clock": 7,
    "spares": (("f", 1, 2),),
    "provisions": True,
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
    timing=Timing(accepted=1000),
)
HEAD = ResponseHead(status=201, headers={"X": "x"}, encoding="text")
TIMING = Timing(accepted=1000, dispatched=1200, taken=1300)
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
        spares=2,
        take_by=8,
        counted=False,
        timing=TIMING,
        environment={"NAME": "value"},
        source="http",
        created_at=1,
        input=Body(sha256="s", size=2, content=b"{}"),
        secrets=(SecretUse(name="db", file="db"),),
        delegated=True,
        secrets_url="http://a/secrets",
        trust="d",
    ),
    Build(**CLAIM, instance="i", package=PACKAGE, take_by=8),  # type: ignore[arg-type]
    Drain(epoch=1),
    Lead(epoch=2),
    Result(**CLAIM, response=HEAD, started_at=1, finished_at=2, timing=TIMING),  # type: ignore[arg-type]
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
    with pytest.raises(DecodeError, match="protocol version 01, not 03 or 04"):
        decoder.decode([b"\x01" + frame[1:]])


@pytest.mark.parametrize(
    "more",
    [
        {"running": tuple((str(number), 1, "f") for number in range(4097))},
        {"spooled": tuple((str(number), 1) for number in range(20_001))},
        {"runtimes": {str(number): "i" for number in range(65)}},
        {"spares": tuple((str(number), 1, 1) for number in range(1025))},
        {"version": "v" * 65},
        {"address": "a" * 65},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_node_says_no_more_than_can_be_looked_at(more: dict[str, object]) -> None:
    decoder: MessageDecoder[Heartbeat] = MessageDecoder(Heartbeat)
    state = NodeState(**STATE)
    assert decoder.decode([encode(Heartbeat(state=state))]).state == state
    (name, value) = next(iter(more.items()))
    with pytest.raises(DecodeError, match=rf"\$.state.{name}"):
        decoder.decode([encode(Heartbeat(state=replace(state, **{name: value})))])


@pytest.mark.parametrize("size", [-1, 2**53 + 1, 2**64 - 1])
def test_a_body_has_a_size_that_every_store_can_keep(size: int) -> None:
    decoder: MessageDecoder[Result] = MessageDecoder(Result)
    output = Body(sha256="s", size=2**53)
    result = Result(**CLAIM, started_at=1, finished_at=2, output=output)
    assert decoder.decode([encode(result)]) == result
    with pytest.raises(DecodeError, match=r"\$.output.size"):
        decoder.decode([encode(replace(result, output=replace(output, size=size)))])
