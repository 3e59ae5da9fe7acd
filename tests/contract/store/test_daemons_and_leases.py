"""Who is there, and who may act alone."""

from pratai_common.store.base import Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import daemon


def test_a_daemon_has_one_entry(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    full = daemon(
        "n", address="tcp://127.0.0.1:1", pid=5, dropped_messages=3, runtimes={"python3": "ä"}
    )
    store.put_daemon(daemon("n", seen_at=1, pid=4))
    other.put_daemon(full)
    shows(store.list_daemons, [full])
    store.put_daemon(daemon("n"))
    shows(other.list_daemons, [daemon("n")])


def test_a_new_daemon_is_listed_at_once(open_store: Open) -> None:
    """Others send to it as soon as it asks them for something: nothing catches up here."""
    store, other = open_store(), open_store()
    for number in range(3):
        store.put_daemon(daemon(f"n{number}"))
        assert [each.daemon_id for each in other.list_daemons()] == [
            f"n{each}" for each in range(number + 1)
        ]
    store.remove_daemon("driver", "n0")
    store.put_daemon(daemon("n0"))
    assert daemon("n0") in other.list_daemons()


def test_daemons_are_listed_by_type_and_id(store: Store, shows: Shows) -> None:
    entries = [
        daemon("b", daemon_type="agent"),
        daemon("a"),
        daemon("b"),
        daemon("a", daemon_type="scheduler"),
    ]
    for each in reversed(entries):
        store.put_daemon(each)
    shows(store.list_daemons, entries)


def test_a_daemon_that_ended_is_forgotten(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    for each in (daemon("a"), daemon("b"), daemon("a", daemon_type="scheduler")):
        store.put_daemon(each)
    for name in (("driver", "a"), ("driver", "a"), ("driver", "none"), ("agent", "b")):
        store.remove_daemon(*name)
    shows(other.list_daemons, [daemon("b"), daemon("a", daemon_type="scheduler")])


def test_a_lease_is_held_by_one_until_it_ends(open_store: Open) -> None:
    store, other = open_store(), open_store()
    assert store.acquire_lease("l", "a", 1000, 100) == ("a", 1)
    assert other.acquire_lease("l", "b", 1000, 100) is None
    assert other.acquire_lease("l", "b", 1099, 100) is None
    assert other.acquire_lease("l", "b", 1100, 100) == ("b", 2)
    assert store.acquire_lease("l", "a", 1199, 100) is None
    assert store.acquire_lease("l", "a", 1200, 100) == ("a", 3)


def test_its_holder_keeps_a_lease_and_its_epoch(open_store: Open) -> None:
    store, other = open_store(), open_store()
    assert store.acquire_lease("l", "a", 1000, 100) == ("a", 1)
    assert store.acquire_lease("l", "a", 1050, 100) == ("a", 1)
    assert other.acquire_lease("l", "b", 1100, 100) is None
    assert store.acquire_lease("l", "a", 5000, 100) == ("a", 1)
    assert other.acquire_lease("l", "b", 5099, 100) is None
    assert other.acquire_lease("l", "b", 5100, 100) == ("b", 2)


def test_a_lease_is_released_by_its_holder_alone(open_store: Open) -> None:
    store, other = open_store(), open_store()
    assert store.acquire_lease("l", "a", 1000, 100) == ("a", 1)
    other.release_lease("l", "b")
    assert other.acquire_lease("l", "b", 1001, 100) is None
    store.release_lease("l", "a")
    store.release_lease("l", "a")
    store.release_lease("none", "a")
    assert other.acquire_lease("l", "b", 1001, 100) == ("b", 2)
    store.release_lease("l", "a")
    assert store.acquire_lease("l", "a", 1002, 100) is None


def test_an_epoch_is_never_given_to_two(store: Store) -> None:
    assert store.acquire_lease("l", "a", 1000, 100) == ("a", 1)
    store.release_lease("l", "a")
    assert store.acquire_lease("l", "a", 1000, 100) == ("a", 2)
    store.release_lease("l", "a")
    assert store.acquire_lease("l", "b", 1000, 100) == ("b", 3)


def test_leases_of_other_names_are_others(store: Store) -> None:
    assert store.acquire_lease("l", "a", 1000, 100) == ("a", 1)
    assert store.acquire_lease("m", "b", 1000, 100) == ("b", 1)
    store.release_lease("m", "b")
    assert store.acquire_lease("l", "b", 1000, 100) is None
