"""Subscriptions: of a function, and of a kind in all projects."""

from msgspec.structs import replace

from pratai_common.records import Subscription
from pratai_common.store.base import Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import subscription
from tests.records import function


def of_kind(store: Store, kind: str) -> list[str]:
    return sorted(each.subscription_id for each in store.list_subscriptions(kind))


def test_a_subscription_is_read_by_everyone_as_it_was_written(
    open_store: Open, shows: Shows
) -> None:
    store, other = open_store(), open_store()
    store.create_function(function())
    full = subscription(1, enabled=True, since=5, frequency_ms=2**40)
    store.create_subscription(full)
    assert other.subscriptions_of("f1") == [full]
    shows(lambda: other.list_subscriptions("timer"), [full])


def test_a_function_has_its_own_oldest_first(store: Store) -> None:
    mine = [
        subscription(1, created_at=30, enabled=False),
        subscription(2, created_at=10, kind="webhook", frequency_ms=None),
        subscription(3, created_at=20),
        subscription(4, created_at=20),
    ]
    for each in (mine[3], *mine[:3], subscription(5, function_id="f2", created_at=15)):
        store.create_subscription(each)
    assert store.subscriptions_of("f1") == [mine[1], mine[2], mine[3], mine[0]]
    assert store.subscriptions_of("f2") == [subscription(5, function_id="f2", created_at=15)]
    assert store.subscriptions_of("none") == []


def test_a_kind_has_those_of_all_projects(store: Store, shows: Shows) -> None:
    store.create_function(function(1))
    store.create_function(function(2, project_id="q"))
    store.create_subscription(subscription(1))
    store.create_subscription(subscription(2, function_id="f2", project_id="q"))
    store.create_subscription(subscription(3, kind="webhook", frequency_ms=None))
    shows(lambda: of_kind(store, "timer"), ["s1", "s2"])
    shows(lambda: of_kind(store, "webhook"), ["s3"])
    assert store.list_subscriptions("none") == []


def test_a_kind_lacks_what_is_disabled(store: Store, shows: Shows) -> None:
    store.create_function(function())
    store.create_subscription(subscription(1))
    store.create_subscription(subscription(2, enabled=False))
    shows(lambda: of_kind(store, "timer"), ["s1"])
    store.change_subscription("s1", lambda old: replace(old, enabled=False))
    store.change_subscription("s2", lambda old: replace(old, enabled=True))
    shows(lambda: of_kind(store, "timer"), ["s2"])
    assert [each.enabled for each in store.subscriptions_of("f1")] == [False, True]


def test_a_kind_lacks_those_of_functions_that_are_disabled_deleted_or_not_there(
    store: Store, shows: Shows
) -> None:
    for number in (1, 2, 3):
        store.create_function(function(number))
        store.create_subscription(subscription(number, function_id=f"f{number}"))
    store.create_subscription(subscription(4, function_id="none"))
    shows(lambda: of_kind(store, "timer"), ["s1", "s2", "s3"])
    store.change_function("f1", lambda old: replace(old, enabled=False))
    store.change_function("f3", lambda old: replace(old, deleted_at=5))
    shows(lambda: of_kind(store, "timer"), ["s2"])
    assert len(store.subscriptions_of("f1")) == len(store.subscriptions_of("f3")) == 1
    store.change_function("f1", lambda old: replace(old, enabled=True))
    shows(lambda: of_kind(store, "timer"), ["s1", "s2"])


def test_a_change_returns_what_is_stored(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.create_subscription(subscription(1))
    store.create_subscription(subscription(2))
    changed = store.change_subscription("s1", lambda old: replace(old, frequency_ms=5, since=9))
    assert changed == subscription(1, frequency_ms=5, since=9)
    seen: list[Subscription] = []
    assert other.change_subscription("s1", seen.append) == changed
    assert seen == [changed]
    assert store.change_subscription("none", lambda old: replace(old, since=1)) is None
    assert other.subscriptions_of("f1") == [changed, subscription(2)]


def test_what_is_deleted_is_gone(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    store.create_function(function())
    for number in (1, 2):
        store.create_subscription(subscription(number))
    store.delete_subscription("s1")
    store.delete_subscription("s1")
    store.delete_subscription("none")
    assert other.subscriptions_of("f1") == [subscription(2)]
    shows(lambda: of_kind(other, "timer"), ["s2"])
    assert other.change_subscription("s1", lambda old: replace(old, since=1)) is None
