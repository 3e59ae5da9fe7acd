"""The wire format does not change unnoticed: golden bytes, and what is no message of ours."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import messages
from pratai_common.errors import DecodeError
from pratai_common.messages import (
    Build,
    Bye,
    CollectorMessage,
    Done,
    Drain,
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
from pratai_common.records import Body, Request

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
    "running": (("r", 1),),
}
PACKAGE = Package(project_id="p", function_id="f", version=1, runtime="python3", archive_sha256="s")
REQUEST = Request(
    request_id="r",
    function_id="f",
    project_id="p",
    user_id="u",
    source="http",
    created_at=1,
    expires_at=2,
    next_run_at=1,
)
ONE_OF_EACH: list[Message] = [
    Submitted(request=REQUEST, input=Body(sha256="s", size=2, content=b"{}")),
    FunctionChanged(function_id="f"),
    Hello(state=NodeState(**STATE)),  # type: ignore[arg-type]
    Heartbeat(state=NodeState(**STATE)),  # type: ignore[arg-type]
    Bye(node="n", instance="i"),
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
        source="http",
        created_at=1,
        input=Body(sha256="s", size=2, content=b"{}"),
    ),
    Build(**CLAIM, instance="i", package=PACKAGE),  # type: ignore[arg-type]
    Drain(epoch=1),
    Result(**CLAIM, started_at=1, finished_at=2),  # type: ignore[arg-type]
    LogPiece(**CLAIM, seq=0, content=b"x"),  # type: ignore[arg-type]
    Stored(request_id="r", attempt=1),
]
GOLDEN: dict[str, str] = {
    "Submitted": (
        "0183a474797065a95375626d6974746564a772657175657374de0019aa726571756573745f6964a1"
        "72a46b696e64a372756eab66756e6374696f6e5f6964a166aa70726f6a6563745f6964a170a77573"
        "65725f6964a175a6736f75726365a468747470a6737461747573a6717565756564a6726561736f6e"
        "c0a76d657373616765c0a776657273696f6ec0a8617474656d70747390ac696e7075745f73686132"
        "3536c0aa637265617465645f617401aa737461727465645f6174c0ab66696e69736865645f6174c0"
        "aa657870697265735f617402ab6e6578745f72756e5f617401a871756575655f6d73c0a7696e6974"
        "5f6d73c0a672756e5f6d73c0a4636f6c64c0a969736f6c6174696f6ec0a46e6f6465c0ab7065616b"
        "5f6d656d6f7279c0aa6c6f675f6368756e6b73c0a5696e70757483a6736861323536a173a473697a"
        "6502a7636f6e74656e74c4027b7d"
    ),
    "FunctionChanged": (
        "0182a474797065af46756e6374696f6e4368616e676564ab66756e6374696f6e5f6964a166"
    ),
    "Hello": (
        "0182a474797065a548656c6c6fa573746174658ea46e6f6465a16ea8696e7374616e6365a169a761"
        "646472657373a161a26970a131a370696403a776657273696f6ea176a96a6f696e65645f617404a5"
        "736c6f747305a66d656d6f727906a872756e74696d657381a7707974686f6e33a5696d616765a772"
        "756e6e696e679192a17201a773706f6f6c656490a8647261696e696e67c2b064726f707065645f6d"
        "6573736167657300"
    ),
    "Heartbeat": (
        "0182a474797065a9486561727462656174a573746174658ea46e6f6465a16ea8696e7374616e6365"
        "a169a761646472657373a161a26970a131a370696403a776657273696f6ea176a96a6f696e65645f"
        "617404a5736c6f747305a66d656d6f727906a872756e74696d657381a7707974686f6e33a5696d61"
        "6765a772756e6e696e679192a17201a773706f6f6c656490a8647261696e696e67c2b064726f7070"
        "65645f6d6573736167657300"
    ),
    "Bye": ("0183a474797065a3427965a46e6f6465a16ea8696e7374616e6365a169"),
    "Done": (
        "0185a474797065a4446f6e65a46e6f6465a16ea8696e7374616e6365a169aa726571756573745f69"
        "64a172a7617474656d707401"
    ),
    "Job": (
        "01de0012a474797065a34a6f62aa726571756573745f6964a172a7617474656d707401a46e6f6465"
        "a16ea565706f636802aa70726f6a6563745f6964a170a5746f6b656ec40174a8696e7374616e6365"
        "a169a77061636b61676585aa70726f6a6563745f6964a170ab66756e6374696f6e5f6964a166a776"
        "657273696f6e01a772756e74696d65a7707974686f6e33ae617263686976655f736861323536a173"
        "ad66756e6374696f6e5f6e616d65a166a66d656d6f7279cc80a463707573cb3ff0000000000000a7"
        "74696d656f75743ca76e6574776f726ba6627269646765a969736f6c6174696f6ea9636f6e746169"
        "6e6572a6736f75726365a468747470aa637265617465645f617401a5696e70757483a67368613235"
        "36a173a473697a6502a7636f6e74656e74c4027b7d"
    ),
    "Build": (
        "0189a474797065a54275696c64aa726571756573745f6964a172a7617474656d707401a46e6f6465"
        "a16ea565706f636802aa70726f6a6563745f6964a170a5746f6b656ec40174a8696e7374616e6365"
        "a169a77061636b61676585aa70726f6a6563745f6964a170ab66756e6374696f6e5f6964a166a776"
        "657273696f6e01a772756e74696d65a7707974686f6e33ae617263686976655f736861323536a173"
    ),
    "Drain": ("0182a474797065a5447261696ea565706f636801"),
    "Result": (
        "01de0012a474797065a6526573756c74aa726571756573745f6964a172a7617474656d707401a46e"
        "6f6465a16ea565706f636802aa70726f6a6563745f6964a170a5746f6b656ec40174a6726561736f"
        "6ec0a76d657373616765c0a66f7574707574c0aa737461727465645f617401ab66696e6973686564"
        "5f617402a7696e69745f6d73c0a672756e5f6d73c0a4636f6c64c0a969736f6c6174696f6ec0ab70"
        "65616b5f6d656d6f7279c0aa6c6f675f6368756e6b7300"
    ),
    "LogPiece": (
        "0189a474797065a84c6f674368756e6baa726571756573745f6964a172a7617474656d707401a46e"
        "6f6465a16ea565706f636802aa70726f6a6563745f6964a170a5746f6b656ec40174a373657100a7"
        "636f6e74656e74c40178"
    ),
    "Stored": ("0183a474797065a653746f726564aa726571756573745f6964a172a7617474656d707401"),
}


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
        (CollectorMessage, Bye(node="n", instance="i")),
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
    with pytest.raises(DecodeError, match="protocol version 02, not 01"):
        decoder.decode([b"\x02" + frame[1:]])


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_no_bytes_raise_anything_else(frames: list[bytes]) -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(SchedulerMessage)
    with suppress(DecodeError):
        decoder.decode(frames)
