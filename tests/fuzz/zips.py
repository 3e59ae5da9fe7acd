"""Zips as nobody's tool writes them: each number in them may be a lie."""

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

MODULE = b"def main(payload=None):\n    return payload\n"
STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
LINK = 0o120777 << 16


class Entry(NamedTuple):
    """An entry of a zip, as its local header and the zip's list tell of it. ``None`` is the truth;
    ``offset`` is where the list says that it is.
    """

    name: bytes
    content: bytes = b""
    method: int = STORED
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    flags: int = 0
    attributes: int = 0
    extra: bytes = b""
    offset: int | None = None
    local_name: bytes | None = None


def deflated(content: bytes) -> bytes:
    """Return what an entry holds that is packed by deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def written(entries: Sequence[Entry], count: int | None = None, size: int | None = None) -> bytes:
    """Return a zip; ``count`` and ``size`` are what its end says of its list."""
    body, listed = bytearray(), bytearray()
    for entry in entries:
        packed = _packed(entry)
        numbers = (
            zlib.crc32(entry.content) if entry.crc is None else entry.crc,
            len(packed) if entry.packed_size is None else entry.packed_size,
            len(entry.content) if entry.size is None else entry.size,
        )
        common = (20, entry.flags, entry.method, 0, 33, *numbers)
        offset = len(body) if entry.offset is None else entry.offset
        name = entry.name if entry.local_name is None else entry.local_name
        body += struct.pack("<4s5H3I2H", b"PK\3\4", *common, len(name), 0) + name + packed
        head = struct.pack(
            "<4sH5H3I3H", b"PK\1\2", 0x314, *common, len(entry.name), len(entry.extra), 0
        )
        tail = struct.pack("<2H2I", 0, 0, entry.attributes, offset)
        listed += head + tail + entry.name + entry.extra
    number = len(entries) if count is None else count
    length = len(listed) if size is None else size
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, number, number, length, len(body), 0)
    return bytes(body + listed + end)


def _packed(entry: Entry) -> bytes:
    if entry.packed is not None:
        return entry.packed
    return deflated(entry.content) if entry.method == DEFLATED else entry.content


NAMES = (
    st.sampled_from(
        [
            b"new_module.py", b"a", b"a/b", b"a/", b"./a", b"../a", b"/a", b"a/../../b", b"..",
            b".", b"", b"/", b"//", b"a//b", b"a\\b", b"C:\\a", b"a\0b", b"\0", b"a\nb", b"x" * 300,
            b"d/" * 600 + b"f", b"\xff\xfe", "ü".encode(), ("😀" * 60 + "/").encode() * 16 + b"f",
            b"requirements.txt", b"\xe2\x80\xae", b"~", b"-r", b"con", b"a:b",
        ]
    )
    | st.binary(max_size=12)
)  # fmt: skip
_NUMBERS = (
    st.none() | st.sampled_from([0, 1, 2**16, 2**31, 2**32 - 2, 2**32 - 1]) | st.integers(0, 200)
)
_EXTRAS = st.sampled_from(
    [
        b"",
        struct.pack("<HHQQQ", 1, 24, 2**64 - 1, 2**64 - 1, 2**64 - 1),
        struct.pack("<HHQ", 1, 8, 2**63),
        struct.pack("<HH", 1, 30),
        struct.pack("<HH", 0x7075, 1) + b"\1",
        b"\1",
    ]
) | st.binary(max_size=8)
_ATTRIBUTES = st.sampled_from(
    [0, LINK, 0o100755 << 16, 0o040755 << 16, 0o020666 << 16, 0o010644 << 16, 0xFFFF << 16, 16]
)
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    content=st.binary(max_size=50) | st.sampled_from([MODULE, b"\0" * 5000]),
    method=st.sampled_from([STORED, DEFLATED, DEFLATED, DEFLATED, BZIP2, LZMA, 9, 99]),
    packed=st.none() | st.binary(max_size=30),
    size=_NUMBERS,
    packed_size=_NUMBERS,
    crc=st.none() | st.integers(0, 2**32 - 1),
    flags=st.sampled_from([0, 0, 0, 1, 8, 0x20, 0x40, 0x800]),
    attributes=_ATTRIBUTES,
    extra=_EXTRAS,
    offset=_NUMBERS,
    local_name=st.none() | NAMES,
)
SOUND_ENTRIES = st.tuples(
    NAMES,
    st.binary(max_size=50) | st.just(MODULE),
    st.sampled_from([STORED, DEFLATED]),
    st.sampled_from([0, 0x800]),
    _ATTRIBUTES,
).map(lambda given: Entry(given[0], given[1], given[2], flags=given[3], attributes=given[4]))


@st.composite
def odd_zips(draw: Callable[..., Any]) -> bytes:
    """Return a zip of entries of which most are sound, one may not be, and of whose end, too."""
    entries = draw(st.lists(SOUND_ENTRIES, max_size=4))
    entries[0:0] = draw(st.lists(st.just(Entry(b"new_module.py", MODULE, DEFLATED)), max_size=1))
    entries += draw(st.lists(ENTRIES, max_size=1))
    if draw(st.integers(0, 9)):
        return written(entries)
    return written(entries, draw(_SHORT), draw(_NUMBERS))


_SHORT = st.none() | st.integers(0, 2**16 - 1)
