"""Which part of an index a page of a list is looked for in: a window of time that holds the page.

Documents lie in the order in which they were written. In the other order, newest first, each is
better than all before it, and a server that sorts a million of them looks at a million. If the
index were sorted that way, the search for what is longest due would be the slow one instead. So a
page is looked for in a window as wide as twice what it holds on average, and in wider ones while
it is not full: what is not in a window comes behind all that is.
"""

import time
from collections.abc import Iterator

from pratai_common.store.elasticsearch_access import Access, Bounds, Query

_WIDER = 16
_REMEMBER_SECONDS = 5.0
"""What is written since makes a window a little too narrow or wide, nothing else."""


class Windows:
    """Windows of one field of an index, which tells when its documents were made."""

    def __init__(self, access: Access, kind: str, field: str) -> None:
        self._access = access
        self._kind = kind
        self._field = field
        self._known: tuple[float, Bounds] | None = None

    def widening(self, limit: int, descending: bool, start: int | None) -> Iterator[list[Query]]:
        """Yield filters for one window after the other, each with the former in it, all of them
        from ``start`` or the end of the list; the last one holds everything.
        """
        bounds = self._bounds()
        span = bounds.newest - bounds.oldest
        width = 2 * span * limit // max(1, bounds.total) + 1
        while width < span:
            if descending:
                since = (bounds.newest if start is None else start) - width
                yield [{"range": {self._field: {"gte": since}}}]
            else:
                until = (bounds.oldest if start is None else start) + width
                yield [{"range": {self._field: {"lte": until}}}]
            width *= _WIDER
        yield []

    def _bounds(self) -> Bounds:
        now, known = time.monotonic(), self._known
        if known is None or now - known[0] > _REMEMBER_SECONDS:
            known = self._known = (now, self._access.bounds(self._kind, self._field))
        return known[1]
