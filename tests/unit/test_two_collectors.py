"""Two collectors on one store that get the same results, or several of one request, at once."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pratai_common.messages import Hello, Job, Result
from pratai_common.records import Status
from pratai_common.store.sqlite import SQLiteStore
from pratai_scheduler.collector import Collector, Sends
from tests.unit.world import World

REQUESTS = 40


class Pair:
    """Two collectors, each with connections to the store of its own, as in processes of theirs."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.world.heartbeat(Hello, slots=2 * REQUESTS, memory=10**6)
        self.stores = [SQLiteStore(folder / "store.sqlite") for _ in range(2)]
        self.acknowledged: list[tuple[str, int]] = []
        self.answers: list[tuple[str, str | None]] = []
        self.collectors = [self._collector(store) for store in self.stores]

    def _collector(self, store: SQLiteStore) -> Collector:
        world = self.world
        sends = Sends(
            to_node=lambda _, stored: self.acknowledged.append((stored.request_id, stored.attempt)),
            to_api=lambda _, answer: self.answers.append((answer.request_id, answer.reason)),
            to_scheduler=lambda _: True,
            apis=lambda: frozenset({"api"}),
        )
        return Collector(store, world.archives, world.key, sends, lambda: world.now)

    def run(self) -> list[Job]:
        """Have requests run."""
        self.world.function()
        for number in range(REQUESTS):
            self.world.request(f"r{number}", reply_to="api")
        self.world.pass_time(1000)
        assert len(self.world.to_nodes) == REQUESTS
        return list(self.world.to_nodes)

    def at_once(self, first: Sequence[Result], second: Sequence[Result]) -> None:
        """Give each collector its results, one by one, at the same time as the other."""
        begin = threading.Barrier(2)
        failed: list[Exception] = []

        def settle(collector: Collector, results: Sequence[Result]) -> None:
            try:
                for result in results:
                    begin.wait(60)
                    collector.receive([result])
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells of it
                failed.append(error)
                begin.abort()

        threads = [
            threading.Thread(target=settle, args=each)
            for each in zip(self.collectors, (first, second), strict=True)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert failed == []

    def close(self) -> None:
        for store in (*self.stores, self.world.store):
            store.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


def test_the_same_result_at_both_ends_a_request_once(pair: Pair) -> None:
    pair.world.function("follower")
    pair.world.subscribe("follower", "f")
    results = [pair.world.result(job) for job in pair.run()]
    pair.at_once(results, results)
    for result in results:
        stored = pair.world.stored(result.request_id)
        assert (stored.status, stored.attempt, stored.following) == (Status.SUCCESS, 1, False)
        assert len(pair.world.descend(result.request_id)) == 1
        # Either may tell the node, and does so only when what follows is there.
        assert pair.acknowledged.count((result.request_id, 1)) == 2
        assert set(pair.answers) >= {(result.request_id, None)}


def test_of_two_ends_one_is_stored_and_both_tell_of_it(pair: Pair) -> None:
    """As of a run whose node was lost for good, says the scheduler, and has ended well, says it."""
    jobs = pair.run()
    good = [pair.world.result(job) for job in jobs]
    bad = [pair.world.result(job, reason="exception", message="m") for job in jobs]
    pair.at_once(good, bad)
    ends = {None: 0, "exception": 0}
    for job in jobs:
        stored = pair.world.stored(job.request_id)
        ends[stored.reason] += 1
        assert stored.status is (Status.SUCCESS if stored.reason is None else Status.ERROR)
        told = {reason for name, reason in pair.answers if name == job.request_id}
        assert told == {stored.reason}
    print(f"ended well: {ends[None]}, failed: {ends['exception']}")
    assert sum(ends.values()) == REQUESTS
