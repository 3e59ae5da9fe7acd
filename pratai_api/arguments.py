"""Reads what a client sent into the declared shapes; what does not fit is refused with 400."""

from typing import TypeVar

import msgspec
from flask import request

from pratai_api.errors import ApiError
from pratai_common import limits

T = TypeVar("T")


def query(shape: type[T]) -> T:
    """Return the query string as a shape; raises msgspec.ValidationError."""
    return msgspec.convert(request.args.to_dict(), shape, strict=False)


def json_body(shape: type[T]) -> T:
    """Return the body, of at most 6 MiB, as a shape."""
    request.max_content_length = limits.MAX_BODY_BYTES
    return decode(request.get_data(), shape, "the body")


def decode(text: bytes | str, shape: type[T], what: str) -> T:
    """Return JSON text as a shape; raises ApiError with where and why it does not fit."""
    try:
        if isinstance(text, bytes):
            text.decode()  # what is kept undecoded must be sound too
        return msgspec.json.decode(text, type=shape)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid", f"{what}: {error}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ApiError(400, "invalid_json", f"{what} is no JSON: {error}") from error
