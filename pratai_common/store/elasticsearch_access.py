"""Reads and writes of documents: by id, by query, in bulk. What all parts of the store share."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Record
from pratai_common.store.coalescer import Coalescer
from pratai_common.store.elasticsearch_answers import (
    BULK,
    COUNTED,
    FOUND,
    LISTED,
    TALLIED,
    Hit,
    Written,
    new_stamp,
    stamp_of,
    stored,
)
from pratai_common.store.elasticsearch_client import Client, refused
from pratai_common.store.elasticsearch_indices import Layout

R = TypeVar("R", bound=Record)
Query = dict[str, Any]
Source = dict[str, Any]
PAGE = 1000
_LONGEST_WAIT = 0.1
_MOST_IDS = 1000
_MOST_BYTES = 8 * 1024 * 1024
_MOST_WRITES = 1000
_MOST_VALUES = 10_000
_SHOWN = "filter_path=items.*.status,items.*.error.type,items.*.error.reason"


class Bounds(NamedTuple):
    """How many documents there are, and between which values of a field."""

    total: int
    oldest: int
    newest: int


class Write(NamedTuple):
    """One line or two of a bulk request."""

    action: bytes
    source: bytes = b""


def give_way(times: int) -> None:
    """Wait a moment after one was overtaken so often: where many want the same, each is sooner
    done if not all try again at once.
    """
    time.sleep(random.uniform(0, min(_LONGEST_WAIT, 0.002 * 2 ** min(times, 10))))  # noqa: S311 - no secret


def all_of(*filters: Query, **terms: object) -> Query:
    """Return the query for documents that pass filters and whose fields have these values."""
    named = [{"term": {name: value}} for name, value in terms.items()]
    return {"bool": {"filter": [*filters, *named]}}


class Access:
    """See the module. Names of indices are those of ``elasticsearch_indices``."""

    def __init__(self, client: Client, layout: Layout, patience_seconds: float) -> None:
        self._client = client
        self._layout = layout
        # The cluster gives up before we do, so that it can say why.
        self._patience = f"timeout={max(1, int(patience_seconds * 800))}ms"
        self._reading: Coalescer[tuple[str, str], Hit | None] = Coalescer(self._find, _MOST_IDS)

    def read(self, kind: str, ids: Sequence[str]) -> dict[str, Hit]:
        """Return those documents that exist, by id, as last written by anyone."""
        asked = list(dict.fromkeys(each for each in ids if each))
        if not asked:
            return {}
        found = self._reading.run([(kind, each) for each in asked])
        return {each.id: each for each in found if each is not None}

    def search(
        self,
        kind: str,
        query: Query,
        sort: list[tuple[str, bool]],
        limit: int | None = None,
        after: Sequence[Any] | None = None,
        page: int = PAGE,
        routing: str = "",
    ) -> Iterator[Hit]:
        """Yield what a query finds, sorted by fields (``True`` for descending), behind a place.

        ``routing`` is that of all the documents, where they have one.
        """
        left = limit
        while left is None or left > 0:
            size = page if left is None else min(left, page)
            found = self._page(kind, query, sort, size, after, routing)
            yield from found
            if len(found) < size:
                return
            after = found[-1].sort
            left = None if left is None else left - size

    def bounds(self, kind: str, field: str) -> Bounds:
        """Return how many documents there are, and the least and the largest value of a field."""
        body = {
            "size": 0,
            "track_total_hits": True,
            "aggs": {"oldest": {"min": {"field": field}}, "newest": {"max": {"field": field}}},
        }
        found = COUNTED.decode(self._search(kind, body))
        ends = (int(found.aggregations[each].value or 0) for each in ("oldest", "newest"))
        return Bounds(found.hits.total.value, *ends)

    def refresh(self, kind: str) -> None:
        """Have searches see all that was written until now."""
        self._client.call("POST", f"/{self._layout.alias(kind)}/_refresh", b"", repeatable=True)

    def tally(self, kind: str, query: Query, field: str) -> tuple[int, dict[str, int]]:
        """Return how many documents a query finds, and how many have each value of a field: of the
        ``_MOST_VALUES`` values that most have.
        """
        body = {
            "size": 0,
            "track_total_hits": True,
            "query": query,
            "aggs": {"values": {"terms": {"field": field, "size": _MOST_VALUES}}},
        }
        found = TALLIED.decode(self._search(kind, body))
        counts = {each.key: each.doc_count for each in found.aggregations["values"].buckets}
        return found.hits.total.value, counts

    def create(self, kind: str, doc_id: str, source: Source, routing: str | None = None) -> Write:
        """Return the write of a document that is not there yet.

        Documents of one ``routing`` are in one shard, so that a search sees them in the order in
        which they were written.
        """
        target = {"_index": self._layout.alias(kind), "_id": doc_id, "require_alias": True}
        return _write(
            {"create": target if routing is None else {**target, "routing": routing}}, source
        )

    def put(self, kind: str, doc_id: str, source: Source) -> Write:
        """Return the write of a document, whatever is there."""
        target = {"_index": self._layout.alias(kind), "_id": doc_id, "require_alias": True}
        return _write({"index": target}, source)

    def over(self, hit: Hit, source: Source) -> Write:
        """Return the write of a document over the one that was found, if it still is so.

        It goes to the index in which it was found: states of another say nothing there.
        """
        return _write({"index": _exactly(hit)}, source)

    def removal(self, hit: Hit) -> Write:
        """Return the removal of a document, if it still is as it was found."""
        return _write({"delete": _exactly(hit)})

    def delete(self, kind: str, doc_id: str) -> Write:
        """Return the removal of a document, whatever it is; it may be gone."""
        target = {"_index": self._layout.alias(kind), "_id": doc_id, "require_alias": True}
        return _write({"delete": target})

    def bulk(
        self, writes: Sequence[Write], *, refresh: bool = False, repeatable: bool = False
    ) -> list[Written]:
        """Do writes in their order; returns what became of each. Durable when this returns."""
        path = f"/_bulk?{_SHOWN}&{self._patience}" + ("&refresh=true" if refresh else "")
        done: list[Written] = []
        for chunk in _chunks(writes):
            body = b"".join(line for write in chunk for line in write)
            answer = self._client.call("POST", path, body, lines=True, repeatable=repeatable)
            items = BULK.decode(answer).items
            if len(items) != len(chunk):
                raise StoreUnavailableError("Elasticsearch does not say what became of each write")
            done += (written for item in items for written in item.values())
        return done

    def write(
        self, writes: Sequence[Write], *, refresh: bool = False, repeatable: bool = False
    ) -> list[bool]:
        """Do writes; says of each whether it was done, ``False`` for a conflict."""
        done = self.bulk(writes, refresh=refresh, repeatable=repeatable)
        for each in done:
            if failure := each.failure():
                raise failure
        return [not each.conflict for each in done]

    def added(self, kind: str, doc_id: str, source: Source, *, refresh: bool = False) -> bool:
        """Create a document; ``False`` where another is there."""
        stamp = new_stamp()
        write = self.create(kind, doc_id, {**source, "stamp": stamp})
        if self.write([write], refresh=refresh, repeatable=True)[0]:
            return True
        there = self.read(kind, [doc_id]).get(doc_id)
        return there is not None and stamp_of(there) == stamp

    def change(
        self,
        kind: str,
        doc_id: str,
        record: type[R],
        apply: Callable[[R], R | None],
        source_of: Callable[[R], Source],
        *,
        refresh: bool = False,
    ) -> R | None:
        """Change the record in a document; returns it as it is afterwards, if it exists."""
        mine, after, times = "", None, 0
        while hit := self.read(kind, [doc_id]).get(doc_id):
            before = stored(hit, record)
            if before.stamp == mine:
                return after  # the cluster took it, and did not know its own work again
            after, mine = apply(before.record), new_stamp()
            if after is None:
                return before.record
            write = self.over(hit, {**source_of(after), "stamp": mine})
            if self.write([write], refresh=refresh)[0]:
                return after
            times += 1
            give_way(times)
        return None

    def remove_found(self, kind: str, query: Query) -> None:
        """Remove what a query finds; what is written meanwhile stays."""
        path = f"/{self._layout.alias(kind)}/_delete_by_query?conflicts=proceed"
        self._client.call("POST", path, msgspec.json.encode({"query": query}), repeatable=True)

    def _find(self, asked: list[tuple[str, str]]) -> list[Hit | Exception | None]:
        return [hit for chunk in _groups(asked, _MOST_IDS) for hit in self._find_chunk(chunk)]

    def _find_chunk(self, asked: Sequence[tuple[str, str]]) -> Iterator[Hit | Exception | None]:
        docs = [{"_index": self._layout.alias(kind), "_id": each} for kind, each in asked]
        body = msgspec.json.encode({"docs": docs})
        for hit in FOUND.decode(self._client.call("POST", "/_mget", body, repeatable=True)).docs:
            if hit.error is not None:
                yield refused(hit.error.type, hit.error.reason)
            else:
                yield hit if hit.found else None

    def _page(
        self,
        kind: str,
        query: Query,
        sort: list[tuple[str, bool]],
        size: int,
        after: Sequence[Any] | None,
        routing: str,
    ) -> list[Hit]:
        body: dict[str, Any] = {
            "size": size,
            "query": query,
            "sort": [{name: "desc" if descending else "asc"} for name, descending in sort],
            "track_total_hits": False,
            "seq_no_primary_term": True,
        }
        if after is not None:
            body["search_after"] = after
        return LISTED.decode(self._search(kind, body, routing)).hits.hits

    def _search(self, kind: str, body: dict[str, Any], routing: str = "") -> bytes:
        path = f"/{self._layout.alias(kind)}/_search?allow_partial_search_results=false"
        if routing:
            path += f"&routing={quote(routing, safe='')}"
        return self._client.call("POST", path, msgspec.json.encode(body), repeatable=True)


def _exactly(hit: Hit) -> dict[str, Any]:
    return {
        "_index": hit.index,
        "_id": hit.id,
        "if_seq_no": hit.seq_no,
        "if_primary_term": hit.primary_term,
    }


def _write(action: dict[str, Any], source: Source | None = None) -> Write:
    line = msgspec.json.encode(action) + b"\n"
    return Write(line) if source is None else Write(line, msgspec.json.encode(source) + b"\n")


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _chunks(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """Divide writes into requests that are not too large."""
    chunk: list[Write] = []
    size = 0
    for write in writes:
        more = len(write.action) + len(write.source)
        if chunk and (size + more > _MOST_BYTES or len(chunk) == _MOST_WRITES):
            yield chunk
            chunk, size = [], 0
        chunk.append(write)
        size += more
    if chunk:
        yield chunk
