"""Puts an index of new fields in the place of one that is in use, and loses no write.

It is filled from the old one under the versions that its documents have there, so that a copy
never overwrites a newer one. Then the old index takes no more writes for a moment: whoever writes
is told that the store is unavailable, and comes again. What was written meanwhile is copied, and
the alias is moved.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pratai_common.clock import Clock
from pratai_common.errors import StoreUnavailableError
from pratai_common.store.elasticsearch_client import Client
from pratai_common.store.elasticsearch_cluster import Cluster
from pratai_common.store.elasticsearch_indices import Layout

LEASE = "upgrade"
_LEASE_MS = 60_000
_LOOK_SECONDS = 0.2


class Upgrade:
    """See the module."""

    def __init__(self, client: Client, layout: Layout, cluster: Cluster, clock: Clock) -> None:
        self._client = client
        self._layout = layout
        self._cluster = cluster
        self._clock = clock
        self._holder = uuid.uuid4().hex

    def run(self, kind: str) -> None:
        """Bring a kind's index to its version, unless another does so meanwhile.

        Raises StoreUnavailableError; then the old index goes on, or it can be run again.
        """
        while not self._renewed():
            time.sleep(_LOOK_SECONDS)
        try:
            old, new = self._behind_alias(kind), self._layout.index_of(kind)
            if old != new:
                self._replace(kind, old, new)
        finally:
            self._cluster.release_lease(LEASE, self._holder)

    def _replace(self, kind: str, old: str, new: str) -> None:
        # Whatever an upgrade that was killed has left.
        self._client.ask("DELETE", f"/{new}?ignore_unavailable=true")
        self._client.ask("PUT", f"/{new}")
        copied = -1
        if self._layout.kinds[kind].large:
            copied = self._checkpoint(old)
            self._copy(kind, old, new)
        with self._without_writes(old):
            self._copy(kind, old, new, copied)
            self._require_all(old, new)
            alias = self._layout.alias(kind)
            # In one step: there is always one index behind the alias.
            actions = [
                {"add": {"index": new, "alias": alias}},
                {"remove_index": {"index": old}},
            ]
            self._client.ask("POST", "/_aliases", {"actions": actions})

    def _behind_alias(self, kind: str) -> str:
        found: dict[str, Any] = self._client.ask("GET", f"/_alias/{self._layout.alias(kind)}")
        return next(iter(found))

    @contextmanager
    def _without_writes(self, index: str) -> Iterator[None]:
        """Let nobody write, from the moment on when all writes under way have ended."""
        self._client.ask("PUT", f"/{index}/_block/write")
        try:
            yield
        except BaseException:
            self._client.ask("PUT", f"/{index}/_settings", {"index.blocks.write": None})
            raise

    def _checkpoint(self, index: str) -> int:
        """Return a number of a write, up to which all are in every copy of every shard."""
        shown = "filter_path=indices.*.shards.*.seq_no.local_checkpoint"
        answer = self._client.ask("GET", f"/{index}/_stats?level=shards&{shown}")
        shards = next(iter(answer["indices"].values()))["shards"]
        copies = [copy for each in shards.values() for copy in each]
        return min(int(copy["seq_no"]["local_checkpoint"]) for copy in copies)

    def _copy(self, kind: str, old: str, new: str, behind: int = -1) -> None:
        """Copy what was written behind a number; what is there and no older stays."""
        self._client.ask("POST", f"/{old}/_refresh")
        body: dict[str, Any] = {
            "source": {"index": old, "query": {"range": {"_seq_no": {"gt": behind}}}},
            "dest": {"index": new, "version_type": "external"},
            "conflicts": "proceed",
        }
        if script := self._layout.kinds[kind].script:
            body["script"] = {"lang": "painless", "source": script}
        task = self._client.ask("POST", "/_reindex?wait_for_completion=false&slices=auto", body)
        while not (seen := self._client.ask("GET", f"/_tasks/{task['task']}"))["completed"]:
            with suppress(StoreUnavailableError):  # it may be the leases that are copied
                self._renewed()
            time.sleep(_LOOK_SECONDS)
        failures = seen.get("error") or seen["response"].get("failures")
        if failures:
            raise StoreUnavailableError(f"index {old} cannot be copied: {failures}")

    def _require_all(self, old: str, new: str) -> None:
        self._client.ask("POST", f"/{new}/_refresh")
        counts = [self._client.ask("GET", f"/{each}/_count")["count"] for each in (old, new)]
        if counts[1] < counts[0]:
            raise StoreUnavailableError(f"{new} has {counts[1]} of {counts[0]} documents")

    def _renewed(self) -> bool:
        """Take or keep the right to upgrade; it lasts while the index of leases is replaced."""
        now = self._clock()
        return self._cluster.acquire_lease(LEASE, self._holder, now, _LEASE_MS) is not None
