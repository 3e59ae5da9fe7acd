"""A stack on Elasticsearch, and what its store has to say of what clients sent."""

import base64
import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.elasticsearch_server import Cluster
from tests.faults.clients import Clients
from tests.packages import ECHO
from tests.stack import Stack
from tests.waiting import until

_numbers = itertools.count()


class Platform:
    """Its engine answers each event with its own payload. A timer runs the function ``ticking``
    each second. The names of its indices begin with ``prefix``.
    """

    def __init__(self, cluster: Cluster, stack: Stack, prefix: str) -> None:
        self.cluster = cluster
        self.stack = stack
        self.requests = f"{prefix}-requests"
        self.ticking = stack.function(ECHO, event="timer", frequency=1 / 60)
        until(lambda: self._ended(self.ticking) > 1, "the timer ticks")

    def clients(self) -> Clients:
        """Return clients of a new function."""
        return Clients(self.stack.url, self.stack.function(ECHO))

    def ticks(self) -> list[int]:
        """Return the numbers of the ticks that are stored, in the order of their being due."""
        inputs = [each["input"]["content"] for each in self._documents(self.ticking)]
        return sorted(json.loads(base64.b64decode(each))["tick"] for each in inputs)

    def later_ticks(self, before: list[int]) -> list[int]:
        """Wait for ticks that are new; returns all but those ``before``, which are as they were.

        None of them is stored twice.
        """
        ended = self._ended(self.ticking)
        until(lambda: self._ended(self.ticking) > ended + 1, "the timer goes on")
        ticks = self.ticks()
        assert len(ticks) == len(set(ticks))
        assert ticks[: len(before)] == before
        return ticks[len(before) :]

    def check(self, clients: Clients, recovery: float) -> int:
        """Wait until all that was accepted is final, and check that each event was run once.

        ``recovery`` is how many seconds the first acceptance after the fault took. Returns how many
        events were stored by a call that was refused.
        """
        accepted = {each.request_id: key for key, each in clients.accepted.items()}
        until(
            lambda: self._ended(clients.function_id) >= len(accepted),
            "all that was accepted is final",
        )
        stored = {
            each["request_id"]: each["record"] for each in self._documents(clients.function_id)
        }
        events = Counter(each["event"]["id"] for each in stored.values())
        attempts = Counter(len(each["attempts"]) for each in stored.values())
        late = [
            key
            for request_id, key in accepted.items()
            if request_id in stored
            and stored[request_id]["created_at"] < clients.accepted[key].asked_at
        ]
        said = (
            f"{len(accepted)} accepted, {len(stored)} stored, "
            f"{len(accepted.keys() - stored.keys())} lost, "
            f"{events.total() - len(events)} doubled, attempts: {dict(attempts)}; "
            f"{clients.refusals.total()} refusals of {len(clients.refusals)} events, "
            f"{len(late)} of which were stored by a call that was refused; "
            f"{recovery:.1f} s until events were accepted again, "
            f"{clients.longest_pause:.1f} s at most from one acceptance to the next"
        )
        print(said)
        assert clients.strange == [], said
        assert len(accepted) == len(clients.accepted), said
        assert stored.keys() == accepted.keys(), said
        assert attempts.keys() == {1}, said
        assert {each["status"] for each in stored.values()} == {"success"}, said
        assert self._results(clients.function_id) == {
            each: _sha256(key) for each, key in accepted.items()
        }, said
        runs = self._runs()
        assert {runs[each] for each in accepted} == {1}, said
        until(lambda: not list(self._spool.glob("*.result")), "the node holds no result any more")
        return len(late)

    def _runs(self) -> Counter[str]:
        """Return how many runs of each request the node tells of."""
        log = (self.stack.folder / "log" / "pratai-driver.log").read_text()
        return Counter(re.findall(r"\[request: (\S+)\] attempt \d+: ", log))

    @property
    def _spool(self) -> Path:
        return self.stack.folder / "state" / "nodes" / self.stack.node / "spool"

    def _results(self, function_id: str) -> dict[str, str]:
        found = self._documents(function_id)
        return {each["request_id"]: each["result"]["sha256"] for each in found}

    def _documents(self, function_id: str) -> list[dict[str, Any]]:
        """Return all runs of a function, as the store has them."""
        self.cluster.call("POST", f"{self.requests}/_refresh")
        query = {"size": 10_000, "query": _runs_of(function_id)}
        found = self.cluster.call("POST", f"{self.requests}/_search", query)
        return [each["_source"] for each in found["hits"]["hits"]]

    def _ended(self, function_id: str) -> int:
        """Return how many runs of a function are final."""
        query = _runs_of(function_id, {"exists": {"field": "ended_at"}})
        return int(self.cluster.call("POST", f"{self.requests}/_count", {"query": query})["count"])


@contextmanager
def platform(
    cluster: Cluster, folder: Path, *, hosts: list[str] | None = None, timeout_seconds: int = 3
) -> Iterator[Platform]:
    """Run a stack on a cluster, and remove what it has left there. ``hosts`` are other addresses
    by which it reaches the cluster.
    """
    prefix = f"faults{next(_numbers)}"
    settings = {
        "store": {
            "driver": "elasticsearch",
            "hosts": ",".join(hosts or cluster.hosts),
            "index_prefix": prefix,
            "refresh_ms": 200,
            "timeout_seconds": timeout_seconds,
        },
        "driver": {"engine": "null", "slots": 8},
    }
    stack = Stack(folder, settings)
    try:
        yield Platform(cluster, stack.start(), prefix)
    finally:
        stack.stop()
        cluster.call("DELETE", ",".join(cluster.call("GET", f"{prefix}-*")))


def _runs_of(function_id: str, *further: dict[str, Any]) -> dict[str, Any]:
    terms = [{"term": {"function_id": function_id}}, {"term": {"kind": "run"}}, *further]
    return {"bool": {"filter": terms}}


def _sha256(payload: str) -> str:
    return hashlib.sha256(json.dumps(payload).encode()).hexdigest()
