"""Reads what a client sent into the declared shapes; what does not fit is refused with 400."""

from datetime import datetime
from typing import TypeVar

import msgspec
from flask import request
from msgspec import UNSET, UnsetType
from werkzeug.exceptions import RequestEntityTooLarge

from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits
from pratai_common.decoding import convert, from_json

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


def query(shape: type[S]) -> S:
    """Return the query string as a shape; raises ApiError, or msgspec.ValidationError."""
    if not request.query_string:
        return convert({}, shape)
    asked = request.args.to_dict(flat=False)
    for name in shape.__struct_fields__:
        if len(asked.get(name, ())) > 1:
            raise ApiError(400, "invalid", f"the query has {name} more than once")
    first = {name: values[0] for name, values in asked.items()}
    return convert(first, shape, strict=False)


def given(value: T | UnsetType) -> T | None:
    """Return what was sent, ``None`` if nothing was."""
    return None if value is UNSET else value


def moment(asked: datetime | None) -> int | None:
    """Return the moment until which a run is put off, in milliseconds; raises ApiError for one
    that is too far away.
    """
    if asked is None:
        return None
    at = int(asked.timestamp() * 1000)
    if at > services().clock() + limits.MAX_DELAY_SECONDS * 1000:
        days = limits.MAX_DELAY_SECONDS // (24 * 3600)
        raise ApiError(400, "invalid", f"not_before is more than {days} days away")
    return at


def body() -> bytes:
    """Return the body, whole and of at most 6 MiB; raises ApiError, or RequestEntityTooLarge.

    Of a body of unknown length no more than the limit is read, without a word; and where one ends
    before its length, nobody else asks for the rest.
    """
    request.max_content_length = limits.MAX_BODY_BYTES
    content: bytes = request.get_data()
    length = request.content_length
    if length is None and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    if length is not None and len(content) < length:
        message = f"the body ended after {len(content)} of {length} bytes"
        raise ApiError(400, "incomplete", message)
    return content


def json_body(shape: type[T]) -> T:
    """Return the body as a shape; raises what ``body`` and ``decode`` raise."""
    return decode(body(), shape, "the body")


def decode(text: bytes | str, shape: type[T], what: str) -> T:
    """Return JSON text as a shape; raises ApiError with where and why it does not fit."""
    try:
        if isinstance(text, bytes):
            text.decode()  # what is kept undecoded must be sound too
        return from_json(text, shape)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid", f"{what}: {error}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ApiError(400, "invalid_json", f"{what} is no JSON: {error}") from error
