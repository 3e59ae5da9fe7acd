"""What a broker, which may be anybody's, sends: bounded in memory, and so that no message blocks a
queue for ever because nobody can read what goes with it.
"""

import struct
from collections.abc import Callable, Collection
from typing import Any

from amqp.basic_message import Message
from amqp.exceptions import UnexpectedFrame
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic, dumps

from pratai_common import limits

Frame = tuple[int, int, bytes]
_METHOD, _HEADER, _BODY = 1, 2, 3
_BASIC = 60
_DELIVER = struct.pack(">HH", _BASIC, 60)
_HEADERS_FLAG = struct.pack(">H", 0x2000)

_MAX_MESSAGE_BYTES = 32 * limits.MIB
"""A message that is too large for us is held in memory to be put aside. RabbitMQ takes none of more
than 16 MiB unless it is told to (128 MiB before its version 4).
"""

_PIECE_BYTES = 256
"""Brokers send bodies in pieces of 4 KiB or more; in pieces of some bytes they take much memory."""

_MAX_PROPERTIES_BYTES = 64 * 1024
_MAX_LEVELS = 32
"""Of tables in each other: py-amqp reads and writes them by calling itself."""

_UNREADABLE = "x-pratai-unreadable"
_MAX_REASON_CHARACTERS = 200


def unreadable(message: Message) -> str | None:
    """Return why a message came without its properties, ``None`` where it came with them."""
    reason = (message.headers or {}).get(_UNREADABLE)
    return None if reason is None else f"its properties cannot be read: {reason}"


class BoundedFrames:
    """Takes the frames of a connection; returns whether one completes something. No more than one
    message is held of each channel that is open. Raises UnexpectedFrame for what is too large or
    out of place.
    """

    def __init__(self, connection: Any, callback: Callable[..., None]) -> None:
        self._connection = connection
        self._take: Callable[[Frame], bool] = frame_handler(connection, callback)
        self._pieces: dict[int, int] = {}

    def __call__(self, frame: Frame) -> bool:
        """See the class."""
        kind, channel, content = frame
        if channel not in (self._connection.channels or ()):
            raise UnexpectedFrame(f"a frame of the channel {channel}, which is not open")
        if kind == _METHOD:
            content = _sound_method(channel, content)
        elif kind == _HEADER:
            size, content = _sound_header(content)
            self._pieces[channel] = 2 + size // _PIECE_BYTES
        elif kind == _BODY:
            self._count(channel)
        return self._take((kind, channel, content))

    def _count(self, channel: int) -> None:
        self._pieces[channel] = left = self._pieces.get(channel, 0) - 1
        if left < 0:
            raise UnexpectedFrame("a message in too many pieces")


def _sound_method(channel: int, content: bytes) -> bytes:
    """Return a method; where it delivers a message, without what is no text of the names of its
    exchange and routing key.
    """
    if len(content) < len(_DELIVER):
        raise UnexpectedFrame("a method that ends early")
    if not content.startswith(_DELIVER):
        return content
    if channel == 0:
        raise UnexpectedFrame("a message of the channel 0, which has none")
    try:
        names = 4 + 1 + content[4] + 8 + 1
        exchange, after = _text(content, names)
        routing_key, _ = _text(content, after)
    except IndexError as error:
        raise UnexpectedFrame("a delivery that ends early") from error
    return content[:names] + bytes(dumps("ss", [exchange, routing_key]))


def _text(content: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + content[at]
    return content[at + 1 : end].decode(errors="ignore"), end


def _sound_header(content: bytes) -> tuple[int, bytes]:
    """Return the size of a message and its header; where that has properties which cannot be read,
    with a mark in place of them.
    """
    try:
        kind, size = struct.unpack_from(">HxxQ", content)
    except struct.error as error:
        raise UnexpectedFrame("a header that ends early") from error
    if kind != _BASIC:
        raise UnexpectedFrame(f"a header of the class {kind}")
    if size > _MAX_MESSAGE_BYTES:
        most = _MAX_MESSAGE_BYTES
        raise UnexpectedFrame(f"a message of {size} bytes, which must be removed: {most} at most")
    try:
        _check_properties(content)
    except Exception as error:  # noqa: BLE001 - py-amqp lets through whatever the bytes lead to
        reason = f"{type(error).__name__}: {error}"[:_MAX_REASON_CHARACTERS]
        content = content[:12] + _HEADERS_FLAG + dumps("F", [{_UNREADABLE: reason}])
    return size, content


def _check_properties(content: bytes) -> None:
    """Raise anything where the properties in a header cannot be read, or hardly."""
    if len(content) > _MAX_PROPERTIES_BYTES:
        raise ValueError(f"{len(content)} bytes, of {_MAX_PROPERTIES_BYTES} that they may have")
    properties, _ = decode_properties_basic(content, 12)
    layer = [properties.get("application_headers")]
    for _ in range(_MAX_LEVELS):
        layer = [inner for each in layer for inner in _inside(each)]
    if any(_inside(each) for each in layer):
        raise ValueError(f"tables of more than {_MAX_LEVELS} levels")


def _inside(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
