"""The indices, one a kind of record: the fields that queries need, and the record as it is.

Mappings are strict. What no query needs lies in fields that Elasticsearch keeps and does not look
into, so a record may gain fields without a new mapping. A document has beside its record a
``stamp``: who wrote it last, by which a writer knows its own write again.
"""

import hashlib
from typing import Any, NamedTuple

import msgspec

_WORD = {"type": "keyword"}
_NUMBER = {"type": "long"}
_YES_OR_NO = {"type": "boolean"}
_KEPT = {"type": "object", "enabled": False}
_STAMP = {"type": "keyword", "index": False, "doc_values": False}

FUNCTIONS = "functions"
CLAIMS = "claims"
VERSIONS = "versions"
EVENTS = "events"
REQUESTS = "requests"
BODIES = "bodies"
LOGS = "logs"
SUBSCRIPTIONS = "subscriptions"
KEYS = "keys"
CLUSTER = "cluster"


class Kind(NamedTuple):
    """An index of one kind of record.

    ``version`` is raised where its fields change so that an index cannot simply get them: then
    ``pratai-db-init`` copies it into a new one, each document as ``script`` (Painless) makes it
    from the former one. A field more is no such change. A ``large`` index is copied while it is
    written, and only what has changed since while it is not.
    """

    version: int
    fields: dict[str, dict[str, Any]]
    large: bool = False
    script: str | None = None


KINDS = {
    CLUSTER: Kind(1, {"daemon_type": _WORD, "daemon_id": _WORD, "record": _KEPT, "stamp": _STAMP}),
    FUNCTIONS: Kind(
        1,
        {
            "function_id": _WORD,
            "project_id": _WORD,
            "living": _YES_OR_NO,
            "name": _WORD,
            "status": _WORD,
            "type": _WORD,
            "event": _WORD,
            "runtime": _WORD,
            "created_at": _NUMBER,
            "record": _KEPT,
            "stamp": _STAMP,
        },
    ),
    CLAIMS: Kind(1, {"record": _KEPT, "stamp": _STAMP}),
    VERSIONS: Kind(1, {"function_id": _WORD, "number": _NUMBER, "record": _KEPT, "stamp": _STAMP}),
    EVENTS: Kind(
        1,
        {
            "event_id": _WORD,
            "project_id": _WORD,
            "living": _YES_OR_NO,
            "name": _WORD,
            "source": _WORD,
            "created_at": _NUMBER,
            "record": _KEPT,
            "stamp": _STAMP,
        },
    ),
    SUBSCRIPTIONS: Kind(
        1,
        {
            "subscription_id": _WORD,
            "project_id": _WORD,
            "function_id": _WORD,
            "event_id": _WORD,
            "kind": _WORD,
            "enabled": _YES_OR_NO,
            "changed_at": _NUMBER,
            "record": _KEPT,
            "stamp": _STAMP,
        },
    ),
    KEYS: Kind(
        1,
        {
            "prefix": _WORD,
            "project_id": _WORD,
            "created_at": _NUMBER,
            "record": _KEPT,
            "stamp": _STAMP,
        },
    ),
    REQUESTS: Kind(
        1,
        {
            "request_id": _WORD,
            "project_id": _WORD,
            "function_id": _WORD,
            "kind": _WORD,
            "status": _WORD,
            "source": _WORD,
            "dead": _YES_OR_NO,
            "parent_id": _WORD,
            "root_id": _WORD,
            "following": _YES_OR_NO,
            "created_at": _NUMBER,
            "next_run_at": _NUMBER,
            "running_since": _NUMBER,
            "ended_at": _NUMBER,
            "record": _KEPT,
            "input": _KEPT,
            "result": _KEPT,
            "creation": _STAMP,
            "stamp": _STAMP,
        },
        large=True,
    ),
    BODIES: Kind(1, {"request_id": _WORD, "record": _KEPT}, large=True),
    LOGS: Kind(
        1,
        {"request_id": _WORD, "attempt": _NUMBER, "seq": _NUMBER, "record": _KEPT},
        large=True,
    ),
}


class Layout(NamedTuple):
    """How the indices of an installation are named, made and spread."""

    prefix: str
    shards: int
    replicas: int
    refresh_ms: int
    kinds: dict[str, Kind] = KINDS

    def alias(self, kind: str) -> str:
        """Return the name by which a kind's index is read and written."""
        return f"{self.prefix}-{kind}"

    def index_of(self, kind: str) -> str:
        """Return the index behind the alias, once it is up to date."""
        return f"{self.alias(kind)}-{self.kinds[kind].version}"

    def live_settings(self) -> dict[str, Any]:
        """Return what may be changed of an index that is in use."""
        return {
            "number_of_replicas": self.replicas,
            "refresh_interval": f"{self.refresh_ms}ms",
        }

    def mappings(self, kind: str) -> dict[str, Any]:
        """Return a kind's mappings; ``_meta`` tells them from those of another release."""
        version, fields = self.kinds[kind].version, self.kinds[kind].fields
        meta = {"version": version, "digest": digest([fields, self.live_settings()])}
        return {"dynamic": "strict", "properties": fields, "_meta": meta}

    def template(self, kind: str) -> dict[str, Any]:
        """Return the index template of a kind. No index is made by writing to it."""
        settings = {
            "number_of_shards": self.shards,
            "translog.durability": "request",
            **self.live_settings(),
        }
        template: dict[str, Any] = {
            "index_patterns": [f"{self.alias(kind)}-*"],
            "version": self.kinds[kind].version,
            "priority": 100,
            "allow_auto_create": False,
            "template": {"settings": {"index": settings}, "mappings": self.mappings(kind)},
        }
        return {**template, "_meta": {"digest": digest(template)}}


def digest(of: Any) -> str:
    """Return what tells a value of JSON from another."""
    return hashlib.sha256(msgspec.json.encode(of, order="deterministic")).hexdigest()[:16]
