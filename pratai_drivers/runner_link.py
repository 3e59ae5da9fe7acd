"""The node's side of the runner protocol (doc/source/contributor/runner-protocol.rst). Pure.

Bytes from the container go in, what they mean comes out. Whatever the user's code writes into the
runner's connection, the worst that happens is a ``ProtocolError``, which ends its own run.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from pratai_common import limits, response_heads
from pratai_common.decoding import from_json
from pratai_common.provisions import GivenSecret
from pratai_common.records import ResponseHead
from pratai_common.response_heads import BadResponseError
from pratai_drivers.engines.base import Files

MAX_HEADER_BYTES = 64 * limits.KIB


class ProtocolError(Exception):
    """The container sent what no runner sends."""


class Ready(NamedTuple):
    """The function is imported and waits for its event.

    ``alone`` says why it can be no more than one, though the runner was asked for ``process``.
    """

    alone: str | None = None


class Response(NamedTuple):
    """What ``main`` returned, as JSON text; ``head`` says how it is to be answered, if at all."""

    body: bytes
    head: object = None


class Failure(NamedTuple):
    """How the user's code failed; ``reason`` is one of the typed reasons."""

    reason: str
    message: str


Said = Ready | Response | Failure
_RUNNER_REASONS = frozenset({"exception", "exit_code", "bad_result", "result_too_large"})


class RunnerLink:
    """Takes bytes as they come, and yields what the runner said, one thing at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: dict[str, object] | None = None
        self._size = 0

    @property
    def idle(self) -> bool:
        """Whether nothing was begun that is not ended."""
        return not self._buffer and self._header is None

    def feed(self, received: bytes) -> Said | None:
        """Take bytes; returns what they complete, if anything. Raises ProtocolError."""
        self._buffer += received
        if self._header is None and not self._read_header():
            return None
        if len(self._buffer) < self._size:
            return None
        body = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        header, self._header = self._header, None
        return _meaning(header or {}, body)

    def _read_header(self) -> bool:
        end = self._buffer.find(b"\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise ProtocolError("a header without an end")
            return False
        try:
            header = json.loads(self._buffer[:end])
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a header that is no JSON: {error}") from error
        del self._buffer[: end + 1]
        size = header.get("size") if isinstance(header, dict) else None
        if not isinstance(size, int) or not 0 <= size <= limits.MAX_BODY_BYTES:
            raise ProtocolError("a header without a size")
        self._header, self._size = header, size
        return True


def load_message(
    isolation: str,
    environment: Mapping[str, str],
    files: Files,
    secrets: Sequence[GivenSecret] = (),
) -> bytes:
    """Return what has a runner import its function, with the secrets that it is given."""
    body = msgspec.json.encode({"secrets": secrets}) if secrets else b""
    header = {
        "op": "load",
        "isolation": isolation,
        "environment": dict(environment),
        **files._asdict(),
        "size": len(body),
    }
    return json.dumps(header).encode() + b"\n" + body


def event_header(context: dict[str, object], timeout: float, size: int) -> bytes:
    """Return the header that precedes an event's payload of ``size`` bytes."""
    header = {"op": "event", "context": context, "timeout": timeout, "size": size}
    return json.dumps(header).encode() + b"\n"


def head_of(said: Response) -> ResponseHead | None:
    """Return how a sound answer wants to be answered by HTTP; raises BadResponseError."""
    try:
        said.body.decode()
        from_json(said.body, msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadResponseError("the function's answer is no JSON") from None
    if said.head is None:
        return None
    head = response_heads.head_of(said.head)
    response_heads.render(head, said.body)
    return head


def _meaning(header: dict[str, object], body: bytes) -> Said:
    operation = header.get("op")
    if operation == "next":
        return Ready(_text(header) if header.get("isolation") == "container" else None)
    if operation == "response":
        return Response(body, header.get("head"))
    if operation in ("error", "init_error"):
        reason = header.get("reason")
        known = reason if isinstance(reason, str) and reason in _RUNNER_REASONS else "exception"
        return Failure(known, _text(header))
    raise ProtocolError(f"unknown operation {operation!r}")


def _text(header: Mapping[str, object]) -> str:
    """Return a header's message; JSON can name half a character, which nothing we send may hold."""
    said = str(header.get("message", "")).encode(errors="backslashreplace").decode()
    return said[: limits.MAX_FAILURE_CHARACTERS]
