"""What Elasticsearch has of an installation, read past the platform."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from tests.elasticsearch_server import Cluster


class Stored:
    """The documents of the installation whose indices begin with ``prefix``."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._cluster = cluster
        self._prefix = prefix
        self.requests = f"{prefix}-requests"

    def runs(self, *function_ids: str, since: int = 0) -> list[dict[str, Any]]:
        """Return all runs of functions that were accepted since then, milliseconds."""
        self._cluster.call("POST", f"{self.requests}/_refresh")
        query = {"size": 10_000, "query": _runs_of(function_ids, since)}
        found = self._cluster.call("POST", f"{self.requests}/_search", query)
        return [each["_source"] for each in found["hits"]["hits"]]

    def ended(self, *function_ids: str, since: int = 0) -> int:
        """Return how many of these are final, a moment late."""
        query = {"query": _runs_of(function_ids, since, {"exists": {"field": "ended_at"}})}
        return int(self._cluster.call("POST", f"{self.requests}/_count", query)["count"])

    def lease(self) -> dict[str, Any]:
        """Return the schedulers' lease: ``holder``, ``epoch``, ``ends_at``."""
        record: dict[str, Any] = self._cluster_document("lease:scheduler")
        return record

    def node(self, name: str) -> dict[str, Any]:
        """Return a node's entry in the list of daemons."""
        return self.daemon("driver", name)

    def daemon(self, kind: str, daemon_id: str) -> dict[str, Any]:
        """Return an entry of the list of daemons."""
        return self._cluster_document(f"daemon:{kind}:{daemon_id}")

    def remove(self) -> None:
        """Forget all of them."""
        indices = self._cluster.call("GET", f"{self._prefix}-*")
        if indices:
            self._cluster.call("DELETE", ",".join(indices))

    def _cluster_document(self, key: str) -> dict[str, Any]:
        found = self._cluster.call("GET", f"{self._prefix}-cluster/_doc/{key}")
        record: dict[str, Any] = found["_source"]["record"]
        return record


def payload_of(run: dict[str, Any]) -> Any:
    """Return what a run was given."""
    return _value(run["input"])


def result_of(run: dict[str, Any]) -> Any:
    """Return what a run gave, ``None`` where it did not."""
    return _value(run["result"]) if run.get("result") else None


def _value(body: dict[str, Any]) -> Any:
    """Return what a small body says, which lies in its run's own document."""
    return json.loads(base64.b64decode(body["content"]))


def sha256(payload: Any) -> str:
    """Return the digest of the result of a function that returns this."""
    return hashlib.sha256(json.dumps(payload).encode()).hexdigest()


def _runs_of(function_ids: Sequence[str], since: int, *further: dict[str, Any]) -> dict[str, Any]:
    terms = [{"terms": {"function_id": function_ids}}, {"term": {"kind": "run"}}, *further]
    return {"bool": {"filter": [*terms, {"range": {"created_at": {"gte": since}}}]}}
