"""A stack on Elasticsearch, and what its store has to say of what clients sent."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.elasticsearch_server import Cluster
from tests.faults.clients import Clients
from tests.faults.senders import Sender
from tests.faults.stored import Stored, payload_of, sha256
from tests.packages import ECHO
from tests.stack import Stack
from tests.waiting import until

_CLIENTS = 8
_PAUSE_SECONDS = 0.05
_numbers = itertools.count()


class Platform:
    """Its engine answers each event with its own payload. A timer runs the function ``ticking``
    each second. The names of its indices begin with ``prefix``.
    """

    def __init__(self, cluster: Cluster, stack: Stack, prefix: str) -> None:
        self.cluster = cluster
        self.stack = stack
        self.stored = Stored(cluster, prefix)
        self.ticking = stack.function(ECHO, event="timer", frequency=1 / 60)
        until(lambda: self.stored.ended(self.ticking) > 1, "the timer ticks")

    def clients(self) -> Clients:
        """Return clients of a new function."""
        function_id = self.stack.function(ECHO)
        senders = [Sender(self.stack.url, function_id) for _ in range(_CLIENTS)]
        return Clients(senders, _PAUSE_SECONDS)

    def ticks(self) -> list[int]:
        """Return the numbers of the ticks that are stored, in the order of their being due."""
        return sorted(payload_of(each)["tick"] for each in self.stored.runs(self.ticking))

    def later_ticks(self, before: list[int]) -> list[int]:
        """Wait for ticks that are new; returns all but those ``before``, which are as they were.

        None of them is stored twice.
        """
        ended = self.stored.ended(self.ticking)
        until(lambda: self.stored.ended(self.ticking) > ended + 1, "the timer goes on")
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
            lambda: self.stored.ended(clients.function_id) >= len(accepted),
            "all that was accepted is final",
        )
        found = self.stored.runs(clients.function_id)
        stored = {each["request_id"]: each["record"] for each in found}
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
        assert {each["request_id"]: each["result"]["sha256"] for each in found} == {
            each: sha256(key) for each, key in accepted.items()
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
        Stored(cluster, prefix).remove()
