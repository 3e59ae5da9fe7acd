"""What brokers and databases say, which may be anybody's."""

import json
import struct
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import msgspec
from amqp.basic_message import Message
from amqp.exceptions import UnexpectedFrame
from amqp.serialization import dumps
from hypothesis import strategies as st

from pratai_agent.sources import message_contents, notification_contents
from pratai_agent.sources.base import Happened
from pratai_agent.sources.frames import BoundedFrames, unreadable
from pratai_agent.sources.queues import UnreadableError
from pratai_agent.sources.wal2json import Decoder, MalformedError
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.inputs import VALUES, altered, damaged

TIMES = [
    "2026-01-31 12:00:00.5+01", "0001-01-01 00:00:00+14", "9999-12-31 23:59:59-14", "infinity", "",
    "2026-01-31T12:00:00", "20260131", "2026-W01-1", "2026-01-31 24:00:00", "0001-01-01T00:00:00",
]  # fmt: skip
CHANGES: list[Any] = [
    {
        "action": action,
        "timestamp": TIMES[0],
        "lsn": "0/1",
        "schema": "public",
        "table": "t",
        "columns": [
            {"name": "a", "type": "integer", "value": 1},
            {"name": "b", "type": "jsonb", "value": '{"x": [1]}'},
            {"name": "c", "type": "text", "value": None},
        ],
        "identity": [{"name": "a", "type": "integer", "value": 1}],
    }
    for action in ("I", "U", "D", "B", "T")
]
JSON_VALUES = VALUES | st.sampled_from([*TIMES, "[" * 3000, '"\ud800"', "1e999", "null"])
ODD = [b"[" * 100_000, b"9" * 400, b'"\\ud800"', b"1e400", b"\xff"]


def texts(trees: list[Any], values: Any = JSON_VALUES) -> st.SearchStrategy[bytes]:
    written = [json.dumps(each).encode() for each in trees]
    return altered(trees, values).map(lambda tree: json.dumps(tree).encode()) | damaged(
        written, ODD
    )


def sound(happened: Happened) -> None:
    """Check that a request can be recorded of it: JSON that anybody can read, and texts."""
    happened.id.encode()
    happened.payload.decode()
    msgspec.json.decode(happened.payload, type=msgspec.Raw)
    msgspec.json.encode(happened.attributes)
    for value in happened.attributes.values():
        assert isinstance(value, str | int)


@fuzz("wal2json", texts(CHANGES), 100)
def test_a_change_is_read_or_malformed(content: bytes) -> None:
    for codec in ("utf-8", "latin-1"):
        decoder = Decoder("7", codec)
        with suppress(MalformedError):
            for _ in range(2):
                happened = decoder.decode(content)
                if happened is not None:
                    sound(happened)


NOTIFICATIONS: list[Any] = [
    {
        "event_type": "compute.instance.create.end",
        "publisher_id": "compute.host",
        "priority": "INFO",
        "timestamp": "2026-01-31 12:00:00.5",
        "payload": {"tenant_id": "p", "port": {"project_id": "p"}},
        "message_id": "m",
        "_unique_id": "u",
        "_context_project_id": "p",
        "_context_user_id": "u",
    },
]
ENVELOPES = [{"oslo.version": "2.0", "oslo.message": json.dumps(each)} for each in NOTIFICATIONS]


@fuzz("notifications", texts([*NOTIFICATIONS, *ENVELOPES]), 100)
def test_a_notification_is_read_or_unreadable(content: bytes) -> None:
    with suppress(UnreadableError):
        notification = notification_contents.parsed(Message(content))
        assert notification.is_of("p") in (True, False)
        sound(notification.happened())


PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "content_type": st.sampled_from(
            ["application/json", "a+json; x", "", "text/plain", ";", "\0"]
        ),
        "message_id": st.text(max_size=5),
        "type": st.text(max_size=5),
        "timestamp": st.integers(-(2**63), 2**63) | st.just("x") | st.none(),
    },
)
CLOUD_EVENT = {"specversion": "1.0", "id": "7", "source": "/s", "type": "t"}
ATTRIBUTES = st.sampled_from(
    [*CLOUD_EVENT, "time", "subject", "dataschema", "a", "", "A b", "data"]
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Return properties, headers and body of a message, as JSON."""
    headers = draw(st.dictionaries(ATTRIBUTES, VALUES | st.sampled_from(TIMES), max_size=3))
    if draw(st.booleans()):
        headers = {**CLOUD_EVENT, **headers}
    prefix = draw(st.sampled_from(["cloudEvents:", "cloudEvents_", ""]))
    body = draw(
        st.sampled_from(['{"a": 1}', "", "x", "[" * 2000, '{"_unique_id": "u"}', '"\ud800'])
    )
    named = {f"{prefix}{name}": value for name, value in headers.items()}
    return json.dumps([draw(PROPERTIES), named, body]).encode()


@fuzz("message-contents", messages(), 100)
def test_a_message_is_read_or_unreadable(content: bytes) -> None:
    properties, headers, body = json.loads(content)
    message = Message(
        body.encode(errors="surrogatepass"), application_headers=headers, **properties
    )
    message.delivery_info = {"routing_key": "key", "exchange": "ex"}
    with suppress(UnreadableError):
        sound(message_contents.happened(message))


DELIVERY = struct.pack(">HH", 60, 60) + dumps("sLbss", ["tag", 7, False, "ex", "key"])
TABLE = dumps("F", [{"a": {"b": [1, "x", None, True, 2**40, 1.5]}, "cloudEvents:id": "7"}])
FRAMES = [
    bytes([1, 1]) + DELIVERY,
    bytes([2, 1]) + struct.pack(">HxxQ", 60, 4) + struct.pack(">H", 0x2000) + TABLE,
    bytes([2, 1]) + struct.pack(">HxxQ", 60, 0) + b"\0\0",
    bytes([3, 1]) + b"abcd",
]


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    """Return frames, each with its size in front: mostly in their order."""
    order = draw(st.sampled_from([[0, 2], [0, 1, 3], [0, 1], [0, 3], [1], [0, 0], []]))
    frames = [
        draw(st.just(FRAMES[each]) | st.just(FRAMES[each]) | damaged([FRAMES[each]]))
        for each in order
    ]
    frames += draw(st.lists(st.sampled_from(FRAMES) | damaged(FRAMES) | st.binary(max_size=20)))
    return b"".join(struct.pack(">H", len(each)) + each for each in frames)


@fuzz("broker-frames", conversations(), 100)
def test_frames_are_messages_or_unexpected(content: bytes) -> None:
    taken: list[Message] = []

    def take(_channel: int, _method: Any, _arguments: bytes, message: Message | None) -> None:
        if message is not None:
            taken.append(message)

    handler = BoundedFrames(SimpleNamespace(channels={0, 1}, bytes_recv=0), take)
    with suppress(UnexpectedFrame):
        while len(content) > 4:
            size = 2 + struct.unpack(">H", content[:2])[0]
            frame, content = content[2:size], content[size:]
            if len(frame) >= 2:
                handler((frame[0], frame[1], frame[2:]))
    for message in taken:
        unreadable(message)
        message.body = message.body or b""
        message.delivery_info = {"routing_key": "key", "exchange": "ex"}
        with suppress(UnreadableError):
            sound(message_contents.happened(message))
