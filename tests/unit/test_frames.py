"""No frame, however malformed, ends a daemon: it raises DecodeError, which the loop counts."""

import json
import random
from contextlib import suppress
from pathlib import Path

import pytest

from pratai_common.errors import DecodeError
from pratai_common.messages import (
    Answer,
    CollectorMessage,
    Message,
    MessageDecoder,
    NodeMessage,
    SchedulerMessage,
    Stored,
    encode,
)

FRAMES = [
    bytes.fromhex(each)
    for each in json.loads((Path(__file__).parent / "golden_messages.json").read_text()).values()
]
INLETS = [SchedulerMessage, CollectorMessage, NodeMessage, Answer]
ODD = [
    b"\xc0",  # nothing
    b"\xcf" + b"\xff" * 8,  # the greatest number
    b"\xcb\x7f\xf8" + b"\0" * 6,  # not a number
    b"\xd9\x02\xff\xfe",  # no UTF-8
    b"\x81\x90\x01",  # a map with a list for a key
    b"\xd6\xff" + b"\0" * 4,  # a time
]


def damaged(chance: random.Random) -> bytes:
    """Return a frame of ours with a few changes."""
    frame = bytearray(chance.choice(FRAMES))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(1, max(2, len(frame)))
        kind = chance.randrange(4)
        if kind == 0:
            frame[place : place + 1] = chance.randbytes(1)
        elif kind == 1:
            del frame[place : place + chance.randint(1, 5)]
        elif kind == 2:
            frame[place:place] = chance.randbytes(chance.randint(1, 6))
        else:
            frame[place:place] = chance.choice(ODD)
    return bytes(frame)


@pytest.mark.parametrize("inlet", INLETS)
def test_damaged_frames_are_malformed_or_messages(inlet: object) -> None:
    decoder: MessageDecoder[Message] = MessageDecoder(inlet)
    chance, decoded = random.Random(1), 0
    for _ in range(20_000):
        with suppress(DecodeError):
            assert isinstance(decoder.decode([damaged(chance)]), Message)
            decoded += 1
    assert decoded > 10


@pytest.mark.parametrize("wrap", [b"\x91", b"\x81\xa1a"], ids=["lists", "maps"])
def test_deeply_nested_frames_are_malformed(wrap: bytes) -> None:
    frame = encode(Stored(request_id="r", attempt=1))
    decoder: MessageDecoder[Message] = MessageDecoder(NodeMessage)

    def with_field(value: bytes) -> bytes:
        return frame[:1] + bytes([frame[1] + 1]) + frame[2:] + b"\xa1x" + value

    assert decoder.decode([with_field(b"\x01")]) == Stored(request_id="r", attempt=1)
    with pytest.raises(DecodeError, match="recursion"):
        decoder.decode([with_field(wrap * 300_000 + b"\x01")])


def test_text_that_is_none_is_malformed() -> None:
    frame = encode(Stored(request_id="r", attempt=1))
    decoder: MessageDecoder[Message] = MessageDecoder(NodeMessage)
    with pytest.raises(DecodeError, match="utf-8"):
        decoder.decode([frame.replace(b"Stored", b"Stor\xff\xfe")])
