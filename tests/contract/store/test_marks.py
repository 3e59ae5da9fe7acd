"""Marks: how far something came, which is never less than it was."""

from concurrent.futures import ThreadPoolExecutor

from pratai_common.store.base import Store
from tests.contract.store.conftest import Open

EVERYONE = 4
TIMES = 12


def test_a_mark_is_read_as_last_written(open_store: Open) -> None:
    store, other = open_store(), open_store()
    assert store.get_mark("m") is None
    for value in (0, 5, 2**40):
        store.put_mark("m", value)
        assert other.get_mark("m") == value


def test_a_mark_never_goes_back(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.put_mark("m", 7)
    for value in (6, 7, 0, -1):
        other.put_mark("m", value)
        assert store.get_mark("m") == 7
    other.put_mark("m", 8)
    assert store.get_mark("m") == 8


def test_marks_of_other_names_are_others(store: Store) -> None:
    store.put_mark("m", 5)
    assert store.get_mark("n") is None
    store.put_mark("n", 3)
    assert store.acquire_lease("m", "a", 1000, 100) == ("a", 1)
    assert (store.get_mark("m"), store.get_mark("n")) == (5, 3)


def test_of_several_at_once_the_furthest_counts(open_store: Open) -> None:
    stores = [open_store() for _ in range(EVERYONE)]

    def go(number: int) -> list[int | None]:
        """Note every fourth number; returns what is noted after each."""
        seen = []
        for value in range(number, EVERYONE * TIMES, EVERYONE):
            stores[number].put_mark("m", value)
            seen.append(stores[number].get_mark("m"))
            assert (seen[-1] or 0) >= value
        return seen

    with ThreadPoolExecutor(EVERYONE) as threads:
        for seen in threads.map(go, range(EVERYONE)):
            assert seen == sorted(seen, key=lambda each: each or 0)
    assert stores[0].get_mark("m") == EVERYONE * TIMES - 1
