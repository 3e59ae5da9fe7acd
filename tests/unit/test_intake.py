"""How many requests a project may make a minute, and how many results it may keep."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pratai_api.intake import COUNT_SECONDS, Intake
from pratai_api.quotas import Alike, Limits
from pratai_api.rates import Rates
from pratai_common.admission import Admission, Bounds
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.records import Status
from pratai_common.store.base import NewRequest
from pratai_common.store.sqlite import SQLiteStore
from tests.records import request


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Doors:
    """As many API processes as there are to be, which know of each other, at one store."""

    def __init__(
        self, store: SQLiteStore, limits: Limits, processes: int = 1, waiting: int = 100
    ) -> None:
        self.time = Time()
        self.store = store
        bounds = Bounds(waiting, 1000)
        self.all = [
            Intake(
                self.store,
                Admission(bounds),
                Alike(limits),
                Rates(lambda: processes, self.time),
                self.time,
            )
            for _ in range(processes)
        ]

    @property
    def one(self) -> Intake:
        return self.all[0]

    def end_requests(self, *numbers: int, project: str = "p") -> None:
        ended = [request(each, project_id=project, status=Status.SUCCESS) for each in numbers]
        self.store.create_requests([NewRequest(each, None) for each in ended])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "store.sqlite")
    opened.create_schema()
    yield opened
    opened.close()


def let_in(door: Intake, *projects: str) -> bool:
    with suppress(OverloadedError), door.admitted(projects):
        return True
    return False


def refusal(door: Intake, project: str, number: int = 1) -> tuple[str, int]:
    with pytest.raises(OverloadedError) as raised:
        door.take(project, number)
    assert raised.value.project_id == project
    return str(raised.value), raised.value.retry_seconds


def test_a_minutes_requests_of_each_project(store: SQLiteStore) -> None:
    doors = Doors(store, Limits(requests_per_minute=6))
    assert [let_in(doors.one, "p") for _ in range(7)] == [True] * 6 + [False]
    message = "the project's quota of requests_per_minute is 6, of which 6 are used"
    assert refusal(doors.one, "p") == (message, 10)
    assert let_in(doors.one, "q")
    doors.one.take("q")
    assert (doors.one.in_a_minute("p"), doors.one.in_a_minute("q")) == (6, 2)
    doors.time.now += 10
    assert [let_in(doors.one, "p") for _ in range(2)] == [True, False]


def test_several_requests_at_once_count_each(store: SQLiteStore) -> None:
    """More than a minute's are let in where nothing was used, and make up for it later."""
    doors = Doors(store, Limits(requests_per_minute=6))
    assert let_in(doors.one, "p", "p", "p", "p")
    message = "the project's quota of requests_per_minute is 6, of which 4 are used"
    assert refusal(doors.one, "p", 3) == (message, 10)
    assert let_in(doors.one, "p", "p")
    assert let_in(doors.one, *["q"] * 12)
    assert refusal(doors.one, "q")[1] == 70
    doors.time.now += 69
    assert not let_in(doors.one, "q")
    doors.time.now += 1
    assert let_in(doors.one, "q")


@pytest.mark.parametrize(("rate", "number"), [(1, 3), (60, 3), (90, 2), (60, 1)])
def test_the_bounds_that_are_documented(store: SQLiteStore, rate: int, number: int) -> None:
    """Everybody asks all the time, at all processes: so many are let in, within so many minutes."""
    doors = Doors(store, Limits(requests_per_minute=rate), number, waiting=10_000)
    total = 0
    for minutes in range(1, 5):
        for _ in range(60):
            for door in doors.all:
                while let_in(door, "p"):
                    total += 1
            doors.time.now += 1
        assert minutes * rate - number <= total <= (minutes + 1) * rate + number, minutes


def test_none_at_all(store: SQLiteStore) -> None:
    doors = Doors(store, Limits(requests_per_minute=0))
    message = "the project's quota of requests_per_minute is 0, of which 0 are used"
    assert refusal(doors.one, "p")[0] == message
    assert let_in(Doors(store, Limits(requests_per_minute=-1)).one, "p")


def test_what_may_wait_is_asked_for_too(store: SQLiteStore) -> None:
    """And what it refuses is not counted."""
    doors = Doors(store, Limits(requests_per_minute=3), waiting=1)
    assert let_in(doors.one, "p")
    with pytest.raises(OverloadedError, match="queued_requests is 1, of which 1 are used"):
        doors.one.require("p")
    assert not let_in(doors.one, "p")
    assert doors.one.in_a_minute("p") == 1


def test_stored_results(store: SQLiteStore) -> None:
    """They are counted again a few seconds later; who waits or runs has none yet."""
    doors = Doors(store, Limits(stored_results=2))
    doors.end_requests(1)
    doors.store.create_requests([NewRequest(request(9), None)])
    assert let_in(doors.one, "p")
    doors.end_requests(2)
    doors.end_requests(3, 4, project="q")
    assert let_in(doors.one, "p")
    doors.time.now += COUNT_SECONDS
    message = "the project's quota of stored_results is 2, of which 2 are used"
    assert refusal(doors.one, "p") == (message, 60)
    assert not let_in(doors.one, "p")
    assert let_in(doors.one, "r")
    assert doors.store.delete_ended_requests(10**9, 1) == 1
    doors.time.now += COUNT_SECONDS
    assert let_in(doors.one, "p")


def test_while_the_store_is_away_the_former_count_is_good(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs no store, a synchronous call, is let in, or not, as before."""
    doors = Doors(store, Limits(stored_results=2))
    doors.end_requests(1, 2)
    assert not let_in(doors.one, "p")
    assert let_in(doors.one, "q")

    def away(_project_id: str) -> dict[Status, int]:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(store, "count_requests", away)
        doors.time.now += COUNT_SECONDS
        message = "the project's quota of stored_results is 2, of which 2 are used"
        assert refusal(doors.one, "p")[0] == message
        for project in ("q", "never seen"):
            doors.one.take(project)
    doors.end_requests(3, 4, project="q")
    doors.time.now += COUNT_SECONDS
    assert not let_in(doors.one, "q")


class Differing(Alike):
    """What Keystone says."""

    differ = True


def test_what_keystone_says_of_runs_is_told(store: SQLiteStore) -> None:
    """Where all projects have the same, the scheduler's own configuration counts."""
    limits, admission = Limits(concurrent_requests=7), Admission(Bounds(9, 9))
    assert Intake(store, None, Differing(limits), Rates(lambda: 1)).most_runs("p") == 7
    assert Intake(store, None, Alike(limits), Rates(lambda: 1)).most_runs("p") is None
    assert admission.most_runs("p") is None


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        (Limits(stored_results=2000, requests_per_minute=600), 100),
        (Limits(stored_results=2000), 10),
        (Limits(stored_results=10**9, requests_per_minute=6), 600),
    ],
)
def test_far_below_the_quota_results_are_counted_rarely(
    store: SQLiteStore, limits: Limits, seconds: int
) -> None:
    """Not before half of what is free could be used up."""
    doors, asked = Doors(store, limits), []
    count = store.count_requests

    def counting(project_id: str) -> dict[Status, int]:
        asked.append(doors.time.now)
        return count(project_id)

    store.count_requests = counting  # type: ignore[method-assign]
    for _ in range(2 * seconds + 1):
        with suppress(OverloadedError):
            doors.one.take("p")
        doors.time.now += 1
    assert [each - 1000 for each in asked] == [0, seconds, 2 * seconds]
