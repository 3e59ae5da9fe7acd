"""How answers are written: JSON by msgspec, so that a stored result goes out undecoded."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from flask import Response

from pratai_api.errors import ApiError
from pratai_api.schemas import PageQuery

T = TypeVar("T")


class Answer(Response):
    """An answer has a content type only where it is given one: not each has content."""

    default_mimetype = None


def json_answer(value: Any, code: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), code, mimetype="application/json")


def page(found: Sequence[T], limit: int, key: str) -> tuple[Sequence[T], str | None]:
    """Return a page of at most ``limit`` records and its marker, ``None`` if no page follows.

    ``found`` was read with room for one more than the limit, which says whether one does.
    """
    shown = found[:limit]
    return shown, getattr(shown[-1], key) if len(found) > limit else None


def part(
    items: Sequence[T], asked: PageQuery, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Return a page of a list that is here whole, and its marker; raises ApiError."""
    names = [name(each) for each in items]
    start = 0
    if isinstance(asked.marker, str):
        if asked.marker not in names:
            raise unknown_marker(asked.marker)
        start = names.index(asked.marker) + 1
    shown = list(items[start : start + asked.limit])
    return shown, name(shown[-1]) if start + asked.limit < len(items) else None


def unknown_marker(marker: str) -> ApiError:
    """Return the refusal of a marker that names nothing that the list could go on from."""
    return ApiError(400, "invalid", f"the marker names nothing in this list: {marker}")
