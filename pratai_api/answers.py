"""How answers are written: JSON by msgspec, so that a stored result goes out undecoded."""

from typing import Any

import msgspec
from flask import Response

from pratai_common.records import LogChunk


def json_answer(value: Any, code: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), code, mimetype="application/json")


def page_answer(name: str, items: list[dict[str, Any]], limit: int, key: str) -> Response:
    """Return a page of a list: ``next`` is the marker of the page that follows, if one may."""
    marker = items[-1][key] if len(items) == limit else None
    return json_answer({name: items, "next": marker})


def log_answer(chunks: list[LogChunk], expected: int | None) -> Response:
    """Return a log as text, with a mark wherever a piece of it was lost.

    ``expected`` is the number of pieces of the last attempt, once that is known.
    """
    parts: list[bytes] = []
    position = (0, 0)
    for chunk in chunks:
        if parts and chunk.attempt != position[0]:
            parts.append(f"[attempt {chunk.attempt}]\n".encode())
        awaited = position[1] if chunk.attempt == position[0] else 0
        if chunk.seq != awaited:
            parts.append(b"[a piece of the log was lost here]\n")
        parts.append(chunk.content)
        position = (chunk.attempt, chunk.seq + 1)
    if expected is not None and position[1] < expected:
        parts.append(b"[a piece of the log was lost here]\n")
    return Response(b"".join(parts), mimetype="text/plain")
