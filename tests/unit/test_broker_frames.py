"""What brokers, which may be anybody's, send: bounded, and no message of it blocks a queue."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from amqp.basic_message import Message
from amqp.exceptions import UnexpectedFrame
from amqp.serialization import dumps

from pratai_agent.sources import amqp as connections
from pratai_agent.sources.amqp import Broker, connected
from pratai_agent.sources.base import SourceError
from pratai_agent.sources.frames import BoundedFrames, unreadable
from pratai_agent.sources.putting_aside import Failures
from pratai_agent.sources.reader import Reader

METHOD, HEADER, BODY = 1, 2, 3
HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"
WITHOUT_PROPERTIES = b"\0\0"


def delivery(routing_key: bytes = b"key") -> bytes:
    arguments = dumps("sLbss", ["tag", 7, False, "ex", routing_key])
    return struct.pack(">HH", 60, 60) + bytes(arguments)


def header(size: int, properties: bytes = WITHOUT_PROPERTIES) -> bytes:
    return struct.pack(">HxxQ", 60, size) + properties


def headers(table: bytes) -> bytes:
    """Return properties that are a table alone, of these bytes."""
    return struct.pack(">HI", 0x2000, len(table)) + table


class Taken:
    """What came of frames."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._frames = BoundedFrames(SimpleNamespace(channels={0, 1}, bytes_recv=0), self._take)

    def _take(self, _channel: int, _method: Any, _arguments: bytes, message: Message) -> None:
        self.messages.append(message)

    def send(self, *frames: tuple[int, bytes], channel: int = 1) -> None:
        for kind, content in frames:
            self._frames((kind, channel, content))


@pytest.fixture
def taken() -> Taken:
    return Taken()


def test_a_message_in_pieces(taken: Taken) -> None:
    taken.send((METHOD, delivery()), (HEADER, header(4)), (BODY, b"ab"), (BODY, b"cd"))
    (message,) = taken.messages
    assert (message.body, message.properties) == (b"abcd", {})
    assert message.frame_args == delivery()
    assert unreadable(message) is None


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        (2, "a frame of the channel 2, which is not open"),
        (0, "a message of the channel 0, which has none"),
    ],
)
def test_messages_are_held_of_open_channels_only(taken: Taken, channel: int, reason: str) -> None:
    with pytest.raises(UnexpectedFrame, match=reason):
        taken.send((METHOD, delivery()), channel=channel)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([(HEADER, header(32 * 2**20 + 1))], "a message of 33554433 bytes, which must be removed"),
        ([(HEADER, header(2)[:10])], "a header that ends early"),
        ([(HEADER, b"\0\x3d" + header(2)[2:])], "a header of the class 61"),
        ([(HEADER, header(100)), *[(BODY, b"")] * 3], "a message in too many pieces"),
    ],
)
def test_what_takes_much_memory(taken: Taken, frames: list[tuple[int, bytes]], reason: str) -> None:
    with pytest.raises(UnexpectedFrame, match=reason):
        taken.send((METHOD, delivery()), *frames)


def test_a_delivery_that_ends_early(taken: Taken) -> None:
    with pytest.raises(UnexpectedFrame, match="a delivery that ends early"):
        taken.send((METHOD, delivery()[:20]))


def nested(levels: int) -> bytes:
    table = b""
    for _ in range(levels):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    return table


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (b"\x80\0\x01\xff", "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"),
        (headers(b"\x01aT" + struct.pack(">Q", 2**63)), "OverflowError: "),
        (headers(b"\x01aT" + struct.pack(">Q", 1767225600000)), "ValueError: year "),
        (headers(b"\x01az"), "FrameSyntaxError: "),
        (headers(nested(3000)), "RecursionError: maximum recursion depth exceeded"),
        (headers(nested(33)), "ValueError: tables of more than 32 levels"),
        (headers(b"\x01ax" + dumps("x", [b"x" * 2**16])), "ValueError: 65561 bytes, of 65536"),
        (b"\x20\0", "error: unpack_from requires"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"x"])
def test_properties_that_cannot_be_read(
    taken: Taken, properties: bytes, reason: str, body: bytes
) -> None:
    """The message is delivered without them, and says so."""
    pieces = [(BODY, body)] if body else []
    taken.send((METHOD, delivery()), (HEADER, header(len(body), properties)), *pieces)
    (message,) = taken.messages
    assert (unreadable(message) or "").startswith(f"its properties cannot be read: {reason}")


def test_tables_of_some_levels(taken: Taken) -> None:
    taken.send((METHOD, delivery()), (HEADER, header(0, headers(nested(32)))))
    (message,) = taken.messages
    assert unreadable(message) is None
    assert list(message.headers) == ["a"]


def test_a_routing_key_that_is_no_text(taken: Taken) -> None:
    taken.send((METHOD, delivery(b"a\xff\xed\xa0\x80b")), (HEADER, header(0)))
    assert taken.messages[0].frame_args == delivery(b"ab")


def test_half_a_character_in_an_id() -> None:
    """Such messages are told apart, too."""
    failures = Failures()
    half = [Message(b"x", message_id=each) for each in ("\ud800", "\ud801")]
    assert [failures.count(each) for each in (half[0], half[0], half[1])] == [1, 2, 1]


class HostileBroker:
    """Sends what it is told to, whatever it is asked."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._ended = threading.Event()

    @property
    def broker(self) -> Broker:
        host, port = self._listener.getsockname()
        return Broker(host, port, "/", "u", "p", host)

    def send(self, first: bytes, again: bytes, last: bytes) -> None:
        """Greeted, send ``first``, and ``again`` until ``end`` or until its reader leaves."""
        connection, _ = self._listener.accept()
        with connection:
            try:
                connection.recv(8)
                connection.sendall(first)
                while not self._ended.wait(0.01):
                    connection.sendall(again)
                connection.sendall(last)
                while connection.recv(4096):
                    pass
            except OSError:
                return

    def end(self) -> None:
        self._ended.set()


@contextmanager
def hostile(first: bytes, again: bytes, last: bytes = b"") -> Iterator[HostileBroker]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = HostileBroker(listener)
        thread = threading.Thread(target=made.send, args=(first, again, last))
        thread.start()
        try:
            yield made
        finally:
            made.end()
            thread.join()


def method(channel: int, number: tuple[int, int], arguments: bytes = b"") -> bytes:
    content = struct.pack(">HH", *number) + arguments
    return struct.pack(">BHI", METHOD, channel, len(content)) + content + b"\xce"


START = method(0, (10, 10), dumps("ooFSS", [0, 9, {}, "PLAIN", "en_US"]))
LOGGED_IN = START + method(0, (10, 30), dumps("BlB", [0, 131072, 0])) + method(0, (10, 41))
CONSUMING = method(1, (20, 11)) + method(1, (60, 11)) + method(1, (60, 21), dumps("s", ["tag"]))
CLOSED = method(0, (10, 51))


REFUSAL = r"^the broker at 127\.0\.0\.1:\d+ does not answer$"
BEGUN = struct.pack(">BHI", METHOD, 0, 100_000)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_ANSWER_SECONDS", 1)


@pytest.mark.parametrize(("begun", "again"), [(b"", HEARTBEAT), (BEGUN, b"x")])
@pytest.mark.usefixtures("impatient")
def test_a_broker_that_never_lets_in(begun: bytes, again: bytes) -> None:
    """Whatever else it sends meanwhile."""
    with (
        hostile(begun, again) as server,
        pytest.raises(SourceError, match=REFUSAL),
        connected(server.broker),
    ):
        pytest.fail("it is logged in to")


@pytest.mark.usefixtures("impatient")
def test_a_broker_that_never_answers() -> None:
    """It is logged in to, and sends other methods."""
    with (
        hostile(LOGGED_IN, method(0, (10, 61))) as server,
        pytest.raises(SourceError, match=REFUSAL),
    ):
        open_channel(server.broker)


def open_channel(broker: Broker) -> None:
    with connected(broker) as connection:
        connection.channel()


def test_a_broker_that_sends_nothing_but_heartbeats() -> None:
    """A reader returns all the same, and so looks whether it is to end."""
    with (
        hostile(LOGGED_IN + CONSUMING, HEARTBEAT, CLOSED) as server,
        connected(server.broker) as connection,
    ):
        reader = Reader(connection, "q")
        assert reader.batch() == []
        reader.close()
        server.end()
