"""How answers are written: JSON by msgspec, so that a stored result goes out undecoded."""

from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Response


def json_answer(value: Any, code: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), code, mimetype="application/json")


def next_marker(items: Sequence[Any], limit: int, key: str) -> str | None:
    """Return the marker of the page that follows, ``None`` if none can."""
    return getattr(items[-1], key) if len(items) == limit else None
