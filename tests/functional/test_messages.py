"""A malformed message at every inlet is counted and dropped, and the daemon lives."""

import socket
from collections.abc import Iterator

import pytest
import zmq

from pratai_common.messages import PROTOCOL_VERSION, Bye, Done, LogPiece, Result, Stored, encode
from tests.stack import Stack
from tests.waiting import until

CLAIM = {"request_id": "r", "attempt": 1, "node": "n", "epoch": 1, "project_id": "p"}
FORGED = encode(Result(**CLAIM, token=b"0" * 16, started_at=0, finished_at=0))  # type: ignore[arg-type]
FORGED_LOG = encode(LogPiece(**CLAIM, token=b"", seq=0, content=b"x"))  # type: ignore[arg-type]
OURS = bytes([PROTOCOL_VERSION])
NEXT = bytes([PROTOCOL_VERSION + 1])
GARBAGE = [
    [b""],
    [b"\x00"],
    [OURS],
    [NEXT + encode(Bye(node="n", instance="i"))[1:]],
    [b"garbage"],
    [OURS + b"\xc1"],
    [OURS + b"\x81\xa4type\xa4Nope"],
    [OURS + b"\x81\xa4type\xa3Bye"],
    [encode(Bye(node="n", instance="i")), b"second frame"],
    [OURS + b"\xff" * 100_000],
]
INLETS = {
    "scheduler": ("scheduler", [[encode(Stored(request_id="r", attempt=1))]]),
    "collector": (
        "collector",
        [[encode(Stored(request_id="r", attempt=1))], [FORGED], [FORGED_LOG]],
    ),
    "driver": ("driver", [[encode(Done(node="n", instance="i", request_id="r", attempt=1))]]),
}


@pytest.fixture
def push() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket_:
        socket_.setsockopt(zmq.LINGER, 10_000)
        yield socket_


def _dropped(stack: Stack, daemon_type: str) -> int:
    daemons = stack.get("/v1/cluster")["daemons"]
    return sum(each["dropped_messages"] for each in daemons if each["daemon_type"] == daemon_type)


@pytest.mark.parametrize("daemon_type", INLETS)
def test_malformed_messages(
    stack: Stack, echo: str, push: zmq.Socket[bytes], daemon_type: str
) -> None:
    port, misplaced = INLETS[daemon_type]
    pids, before = stack.pids(), _dropped(stack, daemon_type)
    push.connect(f"tcp://127.0.0.1:{stack.ports[port]}")
    sent = [*GARBAGE, *misplaced]
    for frames in sent:
        push.send_multipart(frames)
    until(lambda: _dropped(stack, daemon_type) == before + len(sent), "all were counted")
    assert stack.run(echo, 1)["result"] == 1
    assert stack.pids() == pids


def test_bytes_that_are_no_zeromq(stack: Stack, echo: str) -> None:
    pids = stack.pids()
    for port in ("scheduler", "collector", "driver"):
        with socket.create_connection(("127.0.0.1", stack.ports[port])) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
    assert stack.run(echo, 1)["result"] == 1
    assert stack.pids() == pids


def test_bytes_that_are_no_http(stack: Stack, echo: str) -> None:
    pids = stack.pids()
    with socket.create_connection(("127.0.0.1", stack.ports["api"])) as connection:
        connection.sendall(b"\x00\x01 garbage\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert stack.run(echo, 1)["result"] == 1
    assert stack.pids() == pids
