"""Frames that a decoder of MessagePack could stumble on; ``tests/fuzz`` has the others."""

import pytest

from pratai_common.errors import DecodeError
from pratai_common.messages import Message, MessageDecoder, NodeMessage, Stored, encode


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
