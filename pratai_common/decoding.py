"""Decoding into a type: one thread at a time makes it ready.

When msgspec decodes into a class for the first time it looks at its fields, and keeps with the
class what it found. Threads that do so together see what is only half there, and the process ends
at once (a segmentation fault, in 0.22.0). So nothing is decoded into a type but through here.
"""

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_making = threading.Lock()
_json: dict[Any, msgspec.json.Decoder[Any]] = {}
_msgpack: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def json_decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return the decoder of JSON into a type."""
    return _json.get(kind) or _made(_json, msgspec.json.Decoder, kind)


def msgpack_decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """Return the decoder of MessagePack into a type."""
    return _msgpack.get(kind) or _made(_msgpack, msgspec.msgpack.Decoder, kind)


@overload
def from_json(content: bytes | str | msgspec.Raw, kind: type[T]) -> T: ...
@overload
def from_json(content: bytes | str | msgspec.Raw, kind: Any) -> Any: ...
def from_json(content: bytes | str | msgspec.Raw, kind: Any) -> Any:
    """Return what JSON text holds, as a type; raises msgspec.DecodeError."""
    return json_decoder(kind).decode(content)


def convert(value: object, kind: type[T], *, strict: bool = True) -> T:
    """Return Python's own values as a type; raises msgspec.ValidationError. Where it is not strict
    a text may be a number.
    """
    json_decoder(kind)
    return msgspec.convert(value, kind, strict=strict)


def _made(decoders: dict[Any, Any], decoder: Any, kind: Any) -> Any:
    with _making:
        if kind not in decoders:
            decoders[kind] = decoder(kind)
        return decoders[kind]
