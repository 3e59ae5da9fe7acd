"""What a cluster answers, as far as it is read, and what lies in a document."""

import uuid
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from pratai_common.decoding import json_decoder
from pratai_common.records import Record
from pratai_common.store.elasticsearch_client import refused

R = TypeVar("R", bound=Record)


class Failure(msgspec.Struct):
    """Why something was not done."""

    type: str = ""
    reason: str | None = None


class Hit(msgspec.Struct):
    """A document as it was found, and in which state: what is written over it names that."""

    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source", default_factory=msgspec.Raw)
    found: bool = True
    seq_no: int = msgspec.field(name="_seq_no", default=-1)
    primary_term: int = msgspec.field(name="_primary_term", default=0)
    sort: list[Any] = []
    error: Failure | None = None


class Written(msgspec.Struct):
    """What became of one write."""

    status: int
    error: Failure | None = None

    @property
    def conflict(self) -> bool:
        """Say whether the document was there already, or was not as it was said to be."""
        return self.status == 409 and self.error is not None

    def failure(self) -> Exception | None:
        """Return why it was not written, conflicts aside."""
        if self.error is None or self.conflict:
            return None
        return refused(self.error.type, self.error.reason)


class Stored(msgspec.Struct, Generic[R]):
    """A document: the record and who wrote it last."""

    record: R
    stamp: str = ""


class Found(msgspec.Struct):
    """The answer to a question for documents by id."""

    docs: list[Hit]


class _Hits(msgspec.Struct):
    hits: list[Hit] = []


class Listed(msgspec.Struct):
    """The answer to a search."""

    hits: _Hits


class _Value(msgspec.Struct):
    value: float | None = None


class _Total(msgspec.Struct):
    value: int = 0


class _Count(msgspec.Struct):
    total: _Total


class Counted(msgspec.Struct):
    """The answer to a question for numbers."""

    hits: _Count
    aggregations: dict[str, _Value]


class _Bucket(msgspec.Struct):
    key: str
    doc_count: int


class _Buckets(msgspec.Struct):
    buckets: list[_Bucket] = []


class Tallied(msgspec.Struct):
    """The answer to a question for numbers by the values of a field."""

    hits: _Count
    aggregations: dict[str, _Buckets]


class Bulk(msgspec.Struct):
    """The answer to a bulk request: one item a write, by the name of what it does."""

    items: list[dict[str, Written]] = []


class _Stamped(msgspec.Struct):
    stamp: str = ""


_STAMPED = json_decoder(_Stamped)
FOUND = json_decoder(Found)
LISTED = json_decoder(Listed)
COUNTED = json_decoder(Counted)
TALLIED = json_decoder(Tallied)
BULK = json_decoder(Bulk)


@cache
def _decoder(kind: type[R]) -> msgspec.json.Decoder[Stored[R]]:
    return json_decoder(Stored[kind])  # type: ignore[valid-type]  # made at run time


def stored(hit: Hit, kind: type[R]) -> Stored[R]:
    """Return what lies in a document."""
    return _decoder(kind).decode(hit.source)


def stamp_of(hit: Hit) -> str:
    """Return who wrote a document last."""
    return _STAMPED.decode(hit.source).stamp


def new_stamp() -> str:
    """Return what no other write has."""
    return uuid.uuid4().hex
