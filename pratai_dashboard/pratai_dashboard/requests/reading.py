"""Reads a page of requests, by what was asked for. Pure but for the client."""

from collections.abc import Iterator
from datetime import datetime
from itertools import dropwhile, islice, takewhile
from typing import NamedTuple

from prataiclient import Client
from prataiclient.resources import Json, Request

PAGE = 50
MOST_READ = 10_000
"""The API lists the newest first, and knows no times: for an earlier one, so many are looked at."""


class Page(NamedTuple):
    """So many requests, whether there are more, and whether all was looked at that there is."""

    requests: list[Request]
    more: bool
    whole: bool


def read(client: Client, wanted: Json, marker: str | None) -> Page:
    """Return the requests behind a marker. ``wanted`` are the API's filters, and ``since`` and
    ``until``, times between which they were accepted.
    """
    query = {name: value for name, value in wanted.items() if name not in ("since", "until")}
    looked = _Counted(client.requests(MOST_READ, marker=marker, **query))
    since, until = wanted.get("since"), wanted.get("until")
    found = list(islice(_between(looked, since, until), PAGE + 1))
    whole = len(found) > PAGE or looked.count < MOST_READ
    return Page(found[:PAGE], len(found) > PAGE, whole)


def _between(
    requests: Iterator[Request], since: datetime | None, until: datetime | None
) -> Iterator[Request]:
    earlier = dropwhile(lambda each: until is not None and each.created_at >= until, requests)
    return takewhile(lambda each: since is None or each.created_at >= since, earlier)


class _Counted(Iterator[Request]):
    """Counts what was taken."""

    def __init__(self, items: Iterator[Request]) -> None:
        self._items = items
        self.count = 0

    def __next__(self) -> Request:
        item = next(self._items)
        self.count += 1
        return item
