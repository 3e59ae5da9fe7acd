"""How many requests may wait: what one process lets in, and what several do together."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import conf
from pratai_common.admission import Admission, Bounds, Counting
from pratai_common.beat import ALIVE_MS, Witness
from pratai_common.clock import now_ms
from pratai_common.daemon import describe
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.store.base import NewRequest, Waiting
from pratai_common.store.sqlite import SQLiteStore
from tests.records import request

FEW = Bounds(project=3, total=5)


def admit(admission: Admission, *projects: str) -> bool:
    """Let requests in together, where that may be."""
    try:
        with admission.admitted(projects):
            return True
    except OverloadedError:
        return False


def count(admission: Admission, processes: int = 1, **by_project: int) -> None:
    admission.begin_count()
    admission.end_count(Waiting(sum(by_project.values()), by_project), processes)


def refusal(admission: Admission, project: str) -> tuple[str, str | None]:
    with pytest.raises(OverloadedError) as raised:
        admission.require(project)
    return str(raised.value), raised.value.project_id


def test_a_project_has_its_quota_and_all_have_theirs() -> None:
    admission = Admission(FEW)
    assert [admit(admission, "p") for _ in range(5)] == [True] * 3 + [False] * 2
    message = "the project's quota of queued_requests is 3, of which 3 are used"
    assert refusal(admission, "p") == (message, "p")
    assert [admit(admission, "q") for _ in range(3)] == [True] * 2 + [False]
    message = "of all projects 5 requests wait, and 5 may"
    assert refusal(admission, "q") == (message, None)
    assert not admit(admission, "s")


def test_a_project_with_more_than_its_quota_takes_no_place_of_others() -> None:
    """What follows from runs is let in always."""
    admission = Admission(FEW)
    count(admission, p=1000, q=1)
    assert not admit(admission, "p")
    assert admit(admission, "q")
    assert not admit(admission, "q")


def test_what_is_counted_replaces_what_was_let_in() -> None:
    admission = Admission(FEW)
    assert [admit(admission, "p") for _ in range(4)] == [True] * 3 + [False]
    count(admission, p=2)
    assert [admit(admission, "p") for _ in range(2)] == [True, False]
    count(admission, p=4, q=1)
    message = "the project's quota of queued_requests is 3, of which 4 are used"
    assert refusal(admission, "p") == (message, "p")
    count(admission)
    assert admit(admission, "p")


def test_what_is_being_written_is_not_in_the_count() -> None:
    """Nor is what was written after it began; both count until a later one has them."""
    admission = Admission(Bounds(project=2, total=9))
    with admission.admitted(["p"]):
        count(admission)
        assert admit(admission, "p")
        assert not admit(admission, "p")
    admission.begin_count()
    assert not admit(admission, "p")
    admission.end_count(Waiting(2, {"p": 2}), 1)
    assert not admit(admission, "p")
    admission.begin_count()
    admission.begin_count()  # the one before came to no end
    admission.end_count(Waiting(1, {"p": 1}), 1)
    assert [admit(admission, "p") for _ in range(2)] == [True, False]


def test_what_failed_counts_too_until_it_is_known_better() -> None:
    """Nothing is known of a write that failed."""
    admission = Admission(Bounds(project=1, total=9))
    with pytest.raises(StoreUnavailableError), admission.admitted(["p"]):
        raise StoreUnavailableError("away")
    assert not admit(admission, "p")
    count(admission)
    assert admit(admission, "p")


def test_many_at_once_are_let_in_where_there_is_any_room() -> None:
    """Else they never would be. All of them or none, also where they are of several projects."""
    admission = Admission(FEW)
    assert admit(admission, *"pppp")
    assert not admit(admission, *"qp")
    assert admit(admission, "q")
    count(admission)
    assert admit(admission)
    assert admit(admission, *"pppppppp")
    assert not admit(admission, "q")


def test_what_is_free_is_shared_by_all_processes() -> None:
    admission = Admission(Bounds(project=10, total=100))
    count(admission, 3, p=2)
    assert [admit(admission, "p") for _ in range(5)] == [True] * 3 + [False] * 2
    used = "the project's quota of queued_requests is 10, of which 5 are used"
    assert refusal(admission, "p")[0] == f"{used}; the rest is for the other 2 processes for now"
    count(admission, 3, p=9)
    assert [admit(admission, "p") for _ in range(2)] == [True, False]


MOST = 60


@given(st.integers(1, 5), st.integers(0, MOST), st.lists(st.integers(0, 40), max_size=60))
def test_the_bound_that_is_documented(processes: int, before: int, steps: list[int]) -> None:
    """Each process counts once a period, and takes whatever it may at whatever moment between."""
    waiting = before
    admissions = [Admission(Bounds(project=MOST, total=10 * MOST)) for _ in range(processes)]
    for each in admissions:
        count(each, processes, p=waiting)
    numbers = iter(steps)
    for step, wanted in enumerate(numbers):
        who = step % processes
        count(admissions[who], processes, p=waiting)
        for other in range(processes):
            asked = wanted if other == who else next(numbers, 0)
            waiting += sum(admit(admissions[other], "p") for _ in range(asked))
    assert waiting <= MOST + (MOST - before) / 4 + processes


def test_a_count_asks_the_store(tmp_path: Path) -> None:
    """API processes and agents that live share what is free; nobody else makes requests."""
    now = now_ms()
    store = SQLiteStore(tmp_path / "store.sqlite")
    store.create_schema()
    for name, seen_at in (("a", now), ("b", now), ("dead", now - 2 * ALIVE_MS)):
        store.put_daemon(describe("api", name, 1, seen_at, 0, None))
    store.put_daemon(describe("agent", "a", 1, now, 0, None))
    store.put_daemon(describe("driver", "n", 1, now, 0, None))
    store.create_requests([NewRequest(request(number), None) for number in range(4)])
    admission = Admission(Bounds(project=10, total=100))
    Counting(store, admission, Witness(), lambda: now).count()
    store.close()
    assert Counter(admit(admission, "p") for _ in range(9)) == {True: 2, False: 7}


def test_while_the_store_is_away_the_last_count_holds(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "store.sqlite")
    admission = Admission(FEW)
    counting = Counting(store, admission, Witness(), now_ms)
    assert [admit(admission, "p") for _ in range(2)] == [True] * 2
    counting.count()
    assert [admit(admission, "p") for _ in range(2)] == [True, False]
    store.create_schema()
    counting.count()
    store.close()
    assert [admit(admission, "p") for _ in range(4)] == [True] * 3 + [False]


def test_bounds_are_configured(tmp_path: Path) -> None:
    path = tmp_path / "pratai.conf"
    path.write_text("[quota]\nqueued_requests = 7\n[scheduler]\nproject_weights = a:3,b:2\n")
    loaded = conf.load("pratai-api", ["--config-file", str(path)])
    assert Bounds.from_conf(loaded) == Bounds(project=7, total=1_000_000)
    assert loaded.scheduler.project_weights == {"a": 3, "b": 2}
