"""What comes to a public endpoint, as the payload that the function gets."""

import base64
from urllib.parse import parse_qsl

import msgspec
from flask import request

from pratai_api.arguments import decode
from pratai_api.errors import ApiError
from pratai_common import limits

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000


def payload(content: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body of this HTTP request as JSON text, and what is to be said of its form.

    JSON stays as it is, and a form becomes an object; all else becomes a string. Raises ApiError.
    """
    if not content:
        return b"null", {}
    if request.is_json:
        decode(content, msgspec.Raw, "the body")
        return content, {}
    if request.mimetype == _FORM:
        return _encoded(_fields(content)), {}
    return as_string(content)


def as_string(content: bytes) -> tuple[bytes, dict[str, str]]:
    """Return what is no JSON as a JSON string, and what is to be said of its form: text as such,
    and other bytes in base64. Raises ApiError.
    """
    try:
        return _encoded(content.decode()), {}
    except UnicodeDecodeError:
        return _encoded(base64.b64encode(content).decode()), {"datacontentencoding": "base64"}


def _fields(content: bytes) -> dict[str, str | list[str]]:
    """Return a form's fields, the values of one that comes several times as a list."""
    try:
        pairs = parse_qsl(
            content.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:  # of which UnicodeDecodeError is one
        raise ApiError(400, "invalid", f"the body is no form: {error}") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: each[0] if len(each) == 1 else each for name, each in found.items()}


def _encoded(value: str | dict[str, str | list[str]]) -> bytes:
    text = msgspec.json.encode(value)
    if len(text) > limits.MAX_BODY_BYTES:
        message = f"as JSON, the body is larger than {limits.MAX_BODY_BYTES} bytes"
        raise ApiError(413, "too_large", message)
    return text
