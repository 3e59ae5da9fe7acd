"""The scheduler that acts lets go of requests that ended long ago."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_common.records import Status
from pratai_common.store.base import NewRequest
from pratai_common.store.sqlite import SQLiteStore
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.retention import BATCH, DAY_MS, Retention
from tests.records import request
from tests.waiting import until

NOW = 40 * DAY_MS
OLD, RECENT = NOW - 30 * DAY_MS - 1, NOW - 30 * DAY_MS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "store.sqlite")
    opened.create_schema()
    yield opened
    opened.close()


@pytest.fixture
def leadership(store: SQLiteStore) -> Leadership:
    return Leadership(store, "a", lease_ms=1000, settle_ms=0)


class Clock:
    """Stands still, and counts how often it is looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return NOW


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def retention(store: SQLiteStore, leadership: Leadership, clock: Clock) -> Iterator[Retention]:
    made = Retention(store, leadership, clock, days=30, seconds=0.01)
    made.start()
    yield made
    made.stop()


def create(store: SQLiteStore, numbers: range, finished_at: int) -> list[str]:
    ended = {"status": Status.SUCCESS, "finished_at": finished_at}
    made = [request(number, **ended) for number in numbers]
    store.create_requests([NewRequest(each, None) for each in made])
    return [each.request_id for each in made]


def test_more_than_one_batch_goes_and_what_is_recent_stays(
    store: SQLiteStore, leadership: Leadership, retention: Retention
) -> None:
    old = create(store, range(2 * BATCH + 1), OLD)
    recent = create(store, range(2000, 2005), RECENT)
    leadership.renew(NOW)
    until(lambda: store.get_requests(old) == {}, "the old ones are gone")
    assert list(store.get_requests(recent)) == recent


def test_a_standby_deletes_nothing_until_it_acts(
    store: SQLiteStore, leadership: Leadership, retention: Retention, clock: Clock
) -> None:
    assert store.acquire_lease("scheduler", "b", NOW, 1000)
    assert not leadership.renew(NOW)
    old = create(store, range(3), OLD)
    looks = clock.looks
    until(lambda: clock.looks > looks + 3, "it asks whether it acts")
    assert len(store.get_requests(old)) == 3
    store.release_lease("scheduler", "b")
    assert leadership.renew(NOW)
    until(lambda: store.get_requests(old) == {}, "the old ones are gone")


def test_it_goes_on_when_the_store_is_back(
    store: SQLiteStore,
    leadership: Leadership,
    retention: Retention,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path, elsewhere = tmp_path / "store.sqlite", tmp_path / "away"
    leadership.renew(NOW)
    path.rename(elsewhere)
    until(lambda: "old requests were not deleted" in caplog.text, "it misses the store")
    elsewhere.rename(path)
    old = create(store, range(3), OLD)
    until(lambda: store.get_requests(old) == {}, "the old ones are gone")
