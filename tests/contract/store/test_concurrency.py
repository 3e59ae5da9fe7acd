"""Several processes, with several threads each, at the same records at the same moment."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import Event, Function, Request, Status, Subscription, Version
from pratai_common.store.base import Changed, NewRequest, RequestChange, Store
from tests.contract.store.kinds import Kind
from tests.contract.store.processes import PROCESSES, THREADS, together
from tests.contract.store.records import body, create, event, numbered, subscription, version
from tests.records import function, request

EVERYONE = PROCESSES * THREADS
TIMES = 10


def _create_all(store: Store, number: int) -> list[tuple[str, bool, str]]:
    """Create the same requests as the others, one by one; returns whose is stored under each."""
    found = []
    for each in range(TIMES):
        mine = request(each, user_id=str(number))
        result = store.create_requests([NewRequest(mine, body(str(number).encode()))])[0]
        found.append((mine.request_id, result.new, result.request.user_id))
    return found


def test_a_request_is_created_by_one_and_seen_by_all(kind: Kind, store: Store) -> None:
    found = [each for one in together(kind, _create_all) for each in one]
    winner = {name: user for name, new, user in found if new}
    assert len(found) == EVERYONE * TIMES
    assert Counter(name for name, new, _ in found if new) == dict.fromkeys(winner, 1)
    assert len(winner) == TIMES
    assert {(name, user) for name, _, user in found} == set(winner.items())
    for name, user in winner.items():
        assert store.get_input(name) == body(user.encode())


def _settle_all(store: Store, number: int) -> list[tuple[str, str | None]]:
    """Settle the same requests as the others; returns whose outcome counts for each."""

    def apply(old: Request) -> Changed | None:
        if old.status.final:
            return None
        ended = replace(old, status=Status.SUCCESS, message=str(number))
        return Changed(ended, body(str(number).encode()))

    names = [each.request_id for each in numbered(*range(TIMES))]
    after = [store.change_requests([RequestChange(name, apply)])[0] for name in names]
    return [(each.request_id, each.message) for each in after if each]


def test_a_request_is_settled_by_one_and_seen_by_all(kind: Kind, store: Store) -> None:
    create(store, *numbered(*range(TIMES)))
    found = [each for one in together(kind, _settle_all) for each in one]
    assert len(found) == EVERYONE * TIMES
    outcomes = dict(found)
    assert set(found) == set(outcomes.items())
    stored = store.get_requests(list(outcomes))
    assert {name: each.message for name, each in stored.items()} == outcomes
    for name, message in outcomes.items():
        assert message is not None
        assert store.get_result(name) == body(message.encode())


class Counted(NamedTuple):
    """A record that counts: how it is made, and how one is added to it."""

    make: Callable[[Store], object]
    add: Callable[[Store], object]


def _more_depth(old: Request) -> Changed:
    return Changed(replace(old, depth=old.depth + 1))


def _more_versions(old: Function) -> Function:
    return replace(old, version=(old.version or 0) + 1)


def _more_bytes(old: Version) -> Version:
    return replace(old, size=old.size + 1)


def _touched(old: Event) -> Event:
    return replace(old, updated_at=old.updated_at + 1)


def _later(old: Subscription) -> Subscription:
    return replace(old, since=(old.since or 0) + 1)


COUNTED = {
    "request": Counted(
        lambda store: create(store, request()),
        lambda store: store.change_requests([RequestChange("r001", _more_depth)]),
    ),
    "function": Counted(
        lambda store: store.create_function(function()),
        lambda store: store.change_function("f1", _more_versions),
    ),
    "version": Counted(
        lambda store: store.create_version(version(size=0)),
        lambda store: store.change_version("f1", 1, _more_bytes),
    ),
    "event": Counted(
        lambda store: store.create_event(event(updated_at=0)),
        lambda store: store.change_event("e1", _touched),
    ),
    "subscription": Counted(
        lambda store: store.create_subscription(subscription()),
        lambda store: store.change_subscription("s1", _later),
    ),
}


def _count_all(store: Store, _number: int) -> int:
    for _ in range(TIMES):
        for counted in COUNTED.values():
            counted.add(store)
    return TIMES


def test_no_change_overwrites_another_that_it_has_not_seen(kind: Kind, store: Store) -> None:
    for counted in COUNTED.values():
        counted.make(store)
    total = sum(together(kind, _count_all))
    assert total == EVERYONE * TIMES
    assert store.get_requests(["r001"])["r001"].depth == total
    assert store.get_functions(["f1"])["f1"].version == total
    assert store.list_versions("f1")[0].size == total
    assert store.get_events(["e1"])["e1"].updated_at == total
    assert store.subscriptions_of("f1")[0].since == total


def _done(take: Callable[[], object]) -> bool:
    try:
        take()
    except NameTakenError:
        return False
    return True


def _take_names(store: Store, number: int) -> tuple[bool, bool]:
    """Create a function and an event of names that all want; returns which of them it has."""
    return (
        _done(lambda: store.create_function(function(number, name="same"))),
        _done(lambda: store.create_event(event(number, name="same"))),
    )


def _rename(store: Store, number: int) -> tuple[bool, bool]:
    """Give one's function and event names that all want; returns which of them has it."""
    return (
        _done(lambda: store.change_function(f"f{number}", lambda old: replace(old, name="same"))),
        _done(lambda: store.change_event(f"e{number}", lambda old: replace(old, name="same"))),
    )


@pytest.mark.parametrize("take", [_take_names, _rename])
def test_a_name_is_given_to_one(
    kind: Kind, store: Store, take: Callable[[Store, int], tuple[bool, bool]]
) -> None:
    if take is _rename:
        for number in range(EVERYONE):
            store.create_function(function(number))
            store.create_event(event(number))
    taken = together(kind, take)
    functions = store.get_functions([f"f{number}" for number in range(EVERYONE)])
    events = store.get_events([f"e{number}" for number in range(EVERYONE)])
    having_functions, having_events = zip(*taken, strict=True)
    assert having_functions.count(True) == having_events.count(True) == 1
    for sort, having, found in (
        ("f", having_functions, functions.items()),
        ("e", having_events, events.items()),
    ):
        named = [key for key, each in found if each.name == "same"]
        assert named == [f"{sort}{having.index(True)}"]


def _upload(store: Store, number: int) -> bool:
    return store.create_version(version(1, size=number))


def test_a_version_is_created_by_one(kind: Kind, store: Store) -> None:
    created = together(kind, _upload)
    assert sorted(created) == [False] * (EVERYONE - 1) + [True]
    assert store.list_versions("f1") == [version(1, size=created.index(True))]


def _acquire(store: Store, number: int) -> int | None:
    lease = store.acquire_lease("l", f"holder-{number}", 1000, 100)
    return None if lease is None else lease.epoch


def test_a_lease_is_taken_by_one(kind: Kind, store: Store) -> None:
    for epoch in (1, 2):
        taken = together(kind, _acquire)
        assert [each for each in taken if each is not None] == [epoch]
        store.release_lease("l", f"holder-{taken.index(epoch)}")
