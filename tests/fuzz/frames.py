"""Frames that are ours, nearly ours, or nobody's."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pratai_common.messages import Message, encode
from tests.fuzz.inputs import VALUES, altered, damaged
from tests.unit.test_messages import ONE_OF_EACH

ODD = [
    b"\xc0",  # nothing
    b"\xcf" + b"\xff" * 8,  # the greatest number
    b"\xcb\x7f\xf8" + b"\0" * 6,  # not a number
    b"\xd9\x02\xff\xfe",  # no UTF-8
    b"\x81\x90\x01",  # a map with a list for a key
    b"\xd6\xff" + b"\0" * 4,  # a time
    b"\xc7\x0c\xff" + b"\xff" * 12,  # a time that nobody can tell
    b"\xd4\x05x",  # an extension of nobody
    b"\xdd\xff\xff\xff\xff",  # a list of which nothing is there
    b"\xc6\xff\xff\xff\xff",  # bytes of which nothing is there
    b"\x91" * 2000,
]
_OF_MESSAGEPACK = (
    VALUES | st.binary(max_size=20) | st.sampled_from([msgspec.msgpack.Ext(5, b"x"), b"x" * 70_000])
)


def frames(*messages: Message) -> SearchStrategy[bytes]:
    """Return frames like those of some messages, or of one of each."""
    sound = [encode(each) for each in messages or ONE_OF_EACH]
    trees: list[Any] = [msgspec.msgpack.decode(each[1:]) for each in sound]
    version = sound[0][:1]
    return (
        st.binary(max_size=300)
        | damaged(sound, ODD)
        | altered(trees, _OF_MESSAGEPACK).map(lambda tree: version + msgspec.msgpack.encode(tree))
    )
