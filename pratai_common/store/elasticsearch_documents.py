"""A request's document: the record, small bodies, and what its index needs of them."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from pratai_common.decoding import json_decoder
from pratai_common.records import Body, Request
from pratai_common.store.base import NewRequest, RequestChange
from pratai_common.store.elasticsearch_access import Source
from pratai_common.store.elasticsearch_answers import Hit, new_stamp

INLINE_BYTES = 1024
"""Up to so many bytes a body lies in its request's document, which is written several times."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A body in a request's document; ``apart`` where its content is a document of its own."""

    sha256: str
    size: int
    content: bytes | None = None
    apart: bool = False

    @classmethod
    def of(cls, body: Body) -> "Kept":
        """Return how a body is kept."""
        apart = body.content is not None and len(body.content) > INLINE_BYTES
        return cls(body.sha256, body.size, None if apart else body.content, apart)


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request's document, besides what its index needs. ``creation`` is its first stamp."""

    record: Request
    creation: str
    stamp: str
    input: Kept | None = None
    result: Kept | None = None


DOCUMENT = json_decoder(Document)


class Attempt:
    """The changes of one request, by their ``numbers``, made to it as it was found."""

    def __init__(self, hit: Hit, before: Document, numbers: list[int]) -> None:
        self.hit = hit
        self.document = before
        self.numbers = numbers
        self.changed = False
        self.results: list[Body] = []

    def apply(self, change: RequestChange) -> Request:
        """Make a change; returns the request as it is then."""
        changed = change.apply(self.document.record)
        if changed is None:
            return self.document.record
        result = self.document.result
        if result is None and changed.result is not None:
            result = Kept.of(changed.result)
            self.results.append(changed.result)
        self.document = replace(
            self.document, record=changed.request, result=result, stamp=new_stamp()
        )
        self.changed = True
        return changed.request


class Changes:
    """Which changes are ``left`` to be made, by request, and what came of all of them."""

    def __init__(self, changes: Sequence[RequestChange]) -> None:
        self._changes = changes
        self._mine: dict[str, str] = {}
        self.after: list[Request | None] = [None] * len(changes)
        self.left: dict[str, list[int]] = {}
        for number, each in enumerate(changes):
            self.left.setdefault(each.request_id, []).append(number)

    def attempts(self, found: dict[str, Hit]) -> list[Attempt]:
        """Make what is left to requests as they were found; returns what is to be written."""
        made = (self._attempt(name, found.get(name)) for name in self.left)
        return [each for each in made if each is not None and each.changed]

    def _attempt(self, request_id: str, hit: Hit | None) -> Attempt | None:
        numbers = self.left[request_id]
        if hit is None:
            for number in numbers:
                self.after[number] = None
            return None
        before = DOCUMENT.decode(hit.source)
        if before.stamp == self._mine.get(request_id):
            return None  # the cluster took it, and did not know its own work again
        attempt = Attempt(hit, before, numbers)
        for number in numbers:
            self.after[number] = attempt.apply(self._changes[number])
        self._mine[request_id] = attempt.document.stamp
        return attempt


def new_document(new: NewRequest) -> Document:
    """Return the document of a request that is to be created."""
    stamp = new_stamp()
    return Document(
        record=new.request,
        creation=stamp,
        stamp=stamp,
        input=None if new.input is None else Kept.of(new.input),
        result=None if new.result is None else Kept.of(new.result),
    )


def source_of(document: Document) -> Source:
    """Return the document as it is written."""
    request = document.record
    ended_at = request.created_at if request.finished_at is None else request.finished_at
    return {
        "request_id": request.request_id,
        "project_id": request.project_id,
        "function_id": request.function_id,
        "kind": request.kind,
        "status": request.status,
        "source": request.source,
        "dead": request.dead,
        "parent_id": request.parent_id,
        "root_id": request.root_id,
        "following": request.following,
        "created_at": request.created_at,
        "next_run_at": request.next_run_at,
        "running_since": request.created_at if request.started_at is None else request.started_at,
        "ended_at": ended_at if request.status.final else None,
        "record": request,
        "input": document.input,
        "result": document.result,
        "creation": document.creation,
        "stamp": document.stamp,
    }
