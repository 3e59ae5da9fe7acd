"""How what a function returned is answered by HTTP. Pure.

Asked by the node, which has it from a container, and by the API, which has it from a node: neither
takes it for sound. What a function may not name is what the connection or the platform speaks with,
what nginx would obey, and what browsers keep for the whole origin, which all functions share.
"""

from typing import NamedTuple

import msgspec

from pratai_common import limits
from pratai_common.decoding import convert, from_json
from pratai_common.errors import PrataiError
from pratai_common.records import ResponseHead

_RESERVED = frozenset(
    {
        "accept-ch",
        "alt-svc",
        "clear-site-data",
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "nel",
        "public-key-pins",
        "report-to",
        "reporting-endpoints",
        "server",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-content-type-options",
        "x-sendfile",
    }
)
_RESERVED_PREFIXES = ("proxy-", "x-accel-", "x-openstack-", "x-pratai-")
_MESSAGE_CHARACTERS = 400
_NO_BODY = frozenset({204, 205, 304})
_TYPES = {
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "base64": "application/octet-stream",
}


class BadResponseError(PrataiError):
    """A function's answer that cannot be given; the message is for its author."""


class Rendered(NamedTuple):
    """What is answered, with a content type among the headers."""

    status: int
    headers: dict[str, str]
    body: bytes


def head_of(said: object) -> ResponseHead:
    """Return the head that a runner spoke of; raises BadResponseError."""
    try:
        return convert(said, ResponseHead)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        message = str(error)[:_MESSAGE_CHARACTERS]
        raise BadResponseError(f"the Response cannot be answered: {message}") from error


def render(head: ResponseHead, result: bytes) -> Rendered:
    """Return what a result, which is JSON text, is answered as; raises BadResponseError."""
    _require_headers(head.headers)
    headers = dict(head.headers)
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = _TYPES[head.encoding]
    body = _body(head, result)
    return Rendered(head.status, headers, b"" if head.status in _NO_BODY else body)


def _require_headers(headers: dict[str, str]) -> None:
    names = [name.lower() for name in headers]
    for name in names:
        if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
            raise BadResponseError(f"a Response may not have the header {name}")
        if names.count(name) > 1:
            raise BadResponseError(f"the Response has the header {name} twice")
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > limits.MAX_RESPONSE_HEADERS_BYTES:
        most = limits.MAX_RESPONSE_HEADERS_BYTES
        raise BadResponseError(f"the Response has {size} bytes of headers, {most} are allowed")


def _body(head: ResponseHead, result: bytes) -> bytes:
    try:
        if head.encoding == "text":
            return from_json(result, str).encode()
        if head.encoding == "base64":
            return from_json(result, bytes)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadResponseError(f"the Response's body is no {head.encoding}: {error}") from error
    return result
