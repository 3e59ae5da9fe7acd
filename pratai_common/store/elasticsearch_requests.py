"""Requests, what came in with them, how they ended, and what they printed.

A small body lies in its request's own document: one write makes both, so one can never be read
without the other, and the one party that settles a request also gives it its result. A larger one
is a document of its own, named by request and sha256, and written first; which one is the request's
is said by the request's document, so that what a lost race leaves behind is nobody's.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import FINAL_STATUSES, Body, LogChunk, Request, Status
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.base import (
    Created,
    NewRequest,
    Page,
    Position,
    RequestChange,
    RequestFilter,
    Waiting,
)
from pratai_common.store.coalescer import Coalescer
from pratai_common.store.elasticsearch_access import (
    Access,
    Query,
    Write,
    all_of,
    give_way,
)
from pratai_common.store.elasticsearch_answers import Hit, stored
from pratai_common.store.elasticsearch_documents import (
    DOCUMENT,
    Attempt,
    Changes,
    Document,
    Kept,
    new_document,
    source_of,
)
from pratai_common.store.elasticsearch_windows import Windows

_MOST_IN_A_BATCH = 256
_LOG_PAGE = 100
_PENDING = [Status.QUEUED.value, Status.SCHEDULED.value]
_FINAL = sorted(status.value for status in FINAL_STATUSES)
_LONGEST_ENDED = [("ended_at", False), ("request_id", False)]


class Requests:
    """See the module, and Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._windows = Windows(access, indices.REQUESTS, "created_at")
        self._creating: Coalescer[NewRequest, Created] = Coalescer(self._create, _MOST_IN_A_BATCH)

    def create(self, new: Sequence[NewRequest]) -> list[Created]:
        """See Store.create_requests."""
        return self._creating.run(new) if new else []

    def get(self, request_ids: Sequence[str]) -> dict[str, Request]:
        """See Store.get_requests."""
        found = self._access.read(indices.REQUESTS, request_ids)
        return {request_id: DOCUMENT.decode(hit.source).record for request_id, hit in found.items()}

    def listed(self, project_id: str | None, which: RequestFilter, page: Page) -> list[Request]:
        """See Store.list_requests."""
        after: list[Any] | None = None
        if page.marker is not None:
            marked = self.get([page.marker]).get(page.marker)
            if marked is None or project_id not in (None, marked.project_id):
                return []
            after = [marked.created_at, marked.request_id]
        sort = [("created_at", page.descending), ("request_id", page.descending)]
        found: list[Hit] = []
        start = None if after is None else after[0]
        for window in self._windows_of(which, page, start):
            query = _query_of_list(project_id, which, window)
            search = self._access.search(indices.REQUESTS, query, sort, page.limit, after)
            found = list(search)
            if len(found) == page.limit:
                break
        return _records(found)

    def due(
        self, now: int, limit: int, besides: Collection[str], besides_projects: Collection[str]
    ) -> list[Request]:
        """See Store.due_requests."""
        left_out = {"function_id": besides, "project_id": besides_projects}
        query: Query = {
            "bool": {
                "filter": [
                    {"terms": {"status": _PENDING}},
                    {"range": {"next_run_at": {"lte": now}}},
                ],
                "must_not": [
                    {"terms": {name: list(values)}} for name, values in left_out.items() if values
                ],
            }
        }
        sort = [("next_run_at", False), ("request_id", False)]
        return _records(self._access.search(indices.REQUESTS, query, sort, limit))

    def count_waiting(self) -> Waiting:
        """See Store.count_waiting."""
        query = all_of({"terms": {"status": _PENDING}})
        return Waiting(*self._access.tally(indices.REQUESTS, query, "project_id"))

    def count(self, project_id: str) -> dict[Status, int]:
        """See Store.count_requests."""
        query = all_of(project_id=project_id, kind="run")
        _, found = self._access.tally(indices.REQUESTS, query, "status")
        return {Status(name): number for name, number in found.items()}

    def running(self, limit: int) -> list[Request]:
        """See Store.running_requests."""
        query = all_of(status=Status.RUNNING)
        sort = [("running_since", False), ("request_id", False)]
        return _records(self._access.search(indices.REQUESTS, query, sort, limit))

    def following(self, before: int, limit: int) -> list[Request]:
        """See Store.following_requests."""
        query = all_of({"range": {"ended_at": {"lt": before}}}, following=True)
        return _records(self._access.search(indices.REQUESTS, query, _LONGEST_ENDED, limit))

    def change(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        """See Store.change_requests.

        All are tried at once; those that others got in front of are tried again, with what they
        wrote. Whoever is tried again has been overtaken by one who was not.
        """
        tried = Changes(changes)
        for times in itertools.count(1):
            found = self._access.read(indices.REQUESTS, list(tried.left))
            attempts = tried.attempts(found)
            tried.left = {each.hit.id: each.numbers for each in self._overtaken(attempts)}
            if not tried.left:
                return tried.after
            give_way(times)
        raise AssertionError("nothing ends the count")

    def body(self, request_id: str, part: str) -> Body | None:
        """Return a body of a request: its ``input`` or its ``result``."""
        hit = self._access.read(indices.REQUESTS, [request_id]).get(request_id)
        if hit is None:
            return None
        kept: Kept | None = getattr(DOCUMENT.decode(hit.source), part)
        if kept is None or not kept.apart:
            return (
                None
                if kept is None
                else Body(sha256=kept.sha256, size=kept.size, content=kept.content)
            )
        name = _body_id(request_id, kept.sha256)
        apart = self._access.read(indices.BODIES, [name]).get(name)
        return None if apart is None else stored(apart, Body).record

    def add_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        """See Store.add_log_chunks."""
        if chunks:
            self._access.write([self._log_write(chunk) for chunk in chunks], repeatable=True)

    def log_chunks(
        self, request_id: str, after: Position | None, limit: int | None
    ) -> list[LogChunk]:
        """See Store.log_chunks."""
        query = all_of(request_id=request_id)
        sort = [("attempt", False), ("seq", False)]
        found = self._access.search(indices.LOGS, query, sort, limit, after, _LOG_PAGE, request_id)
        return [stored(hit, LogChunk).record for hit in found]

    def delete_ended(self, before: int, limit: int) -> int:
        """See Store.delete_ended_requests."""
        query = {
            "bool": {
                "filter": [{"terms": {"status": _FINAL}}, {"range": {"ended_at": {"lt": before}}}]
            }
        }
        found = list(self._access.search(indices.REQUESTS, query, _LONGEST_ENDED, limit))
        if found:
            # The requests last: after a crash they lead to what is left.
            theirs = {"terms": {"request_id": [hit.id for hit in found]}}
            for kind in (indices.LOGS, indices.BODIES):
                self._access.remove_found(kind, theirs)
            # With a refresh: the next call does not find them again.
            removals = [self._access.removal(hit) for hit in found]
            return sum(self._access.write(removals, refresh=True))
        return 0

    def _windows_of(
        self, which: RequestFilter, page: Page, start: int | None
    ) -> Iterable[list[Query]]:
        """Return where a page is looked for; a request's descendants are few, so at once."""
        if which.parent_id is not None or which.root_id is not None:
            return [[]]
        return self._windows.widening(page.limit, page.descending, start)

    def _create(self, batch: list[NewRequest]) -> list[Created | Exception]:
        """Create requests, of several callers perhaps: what fails fails alone."""
        self._keep_apart(
            (new.request.request_id, body)
            for new in batch
            for body in (new.input, new.result)
            if body is not None
        )
        documents = [new_document(new) for new in batch]
        done = self._access.bulk([self._creation(each) for each in documents], repeatable=True)
        conflicts = [
            each.record.request_id
            for each, written in zip(documents, done, strict=True)
            if written.conflict
        ]
        there = self._access.read(indices.REQUESTS, conflicts)
        results: list[Created | Exception] = []
        for document, written in zip(documents, done, strict=True):
            failure = written.failure()
            if failure is not None or not written.conflict:
                results.append(failure or Created(document.record, new=True))
            else:
                results.append(_existing(document, there.get(document.record.request_id)))
        return results

    def _creation(self, document: Document) -> Write:
        name = document.record.request_id
        return self._access.create(indices.REQUESTS, name, source_of(document))

    def _overtaken(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Write what changes have made; returns those that others were in front of."""
        if not attempts:
            return []
        self._keep_apart((each.hit.id, body) for each in attempts for body in each.results)
        writes = [self._access.over(each.hit, source_of(each.document)) for each in attempts]
        done = self._access.write(writes)
        return [each for each, written in zip(attempts, done, strict=True) if not written]

    def _keep_apart(self, bodies: Iterable[tuple[str, Body]]) -> None:
        """Write those bodies that are documents of their own. One that is there is the same."""
        writes = [
            self._access.create(
                indices.BODIES,
                _body_id(request_id, body.sha256),
                {"request_id": request_id, "record": body},
            )
            for request_id, body in bodies
            if Kept.of(body).apart
        ]
        if writes:
            self._access.write(writes, repeatable=True)

    def _log_write(self, chunk: LogChunk) -> Write:
        name = f"{chunk.request_id}:{chunk.attempt}:{chunk.seq}"
        columns = {"request_id": chunk.request_id, "attempt": chunk.attempt, "seq": chunk.seq}
        source = {**columns, "record": chunk}
        # Of a request in one shard: another may show a later piece sooner, and readers go on by it.
        return self._access.create(indices.LOGS, name, source, chunk.request_id)


def _existing(document: Document, hit: Hit | None) -> Created | Exception:
    """Return what was there before a document that was not created, which may be itself."""
    if hit is None:
        return StoreUnavailableError("the request was removed while it was created")
    there = DOCUMENT.decode(hit.source)
    return Created(there.record, new=there.creation == document.creation)


def _query_of_list(project_id: str | None, which: RequestFilter, window: Sequence[Query]) -> Query:
    terms = {name: value for name, value in which._asdict().items() if value is not None}
    if project_id is not None:
        terms["project_id"] = project_id
    return all_of(*window, kind="run", **terms)


def _records(found: Iterable[Hit]) -> list[Request]:
    return [DOCUMENT.decode(hit.source).record for hit in found]


def _body_id(request_id: str, sha256: str) -> str:
    return f"{request_id}:{sha256}"
