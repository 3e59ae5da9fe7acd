"""Subscriptions: of a function, to events, and of a kind in all projects."""

from typing import Any

from msgspec.structs import replace

from pratai_common.records import Subscription
from pratai_common.store.base import Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import subscription, subscription_ids
from tests.records import function


def of_kind(store: Store, kind: str, changed_since: int = 0) -> list[str]:
    return subscription_ids(store.list_subscriptions(kind, changed_since))


def to(store: Store, *event_ids: str) -> list[str]:
    return subscription_ids(store.subscriptions_to(event_ids))


def message(number: int, event_id: str, **values: Any) -> Subscription:
    given = {"kind": "message", "frequency_ms": None, "event_id": event_id, **values}
    return subscription(number, **given)


def test_a_subscription_is_read_by_everyone_as_it_was_written(
    open_store: Open, shows: Shows
) -> None:
    store, other = open_store(), open_store()
    timer = subscription(1, since=5, frequency_ms=2**40, timezone="Europe/Berlin", updated_at=7)
    response = message(
        2, "f7", kind="response", outcome="failure", filter={"ä": [{"prefix": "x"}]}, misfire="all"
    )
    for each in (timer, response):
        store.create_subscription(each)
    assert other.subscriptions_of("f1") == [timer, response]
    assert other.get_subscriptions(["s2", "none", "s1", "s2"]) == {"s1": timer, "s2": response}
    assert other.get_subscriptions([]) == {}
    assert other.subscriptions_to(["f7"]) == [response]
    shows(lambda: other.list_subscriptions("timer"), [timer])
    assert other.list_subscriptions("response") == [response]


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
    store.create_subscription(subscription(2, function_id="f2", project_id="q", created_at=1))
    store.create_subscription(subscription(1, created_at=2))
    store.create_subscription(subscription(3, kind="webhook", frequency_ms=None))
    shows(lambda: of_kind(store, "timer"), ["s1", "s2"])
    shows(lambda: of_kind(store, "webhook"), ["s3"])
    assert store.list_subscriptions("none") == []


def test_a_kind_lacks_what_is_disabled(store: Store, shows: Shows) -> None:
    store.create_subscription(subscription(1))
    store.create_subscription(subscription(2, enabled=False))
    shows(lambda: of_kind(store, "timer"), ["s1"])
    store.change_subscription("s1", lambda old: replace(old, enabled=False))
    store.change_subscription("s2", lambda old: replace(old, enabled=True))
    shows(lambda: of_kind(store, "timer"), ["s2"])
    assert [each.enabled for each in store.subscriptions_of("f1")] == [False, True]


def test_a_kind_has_those_that_were_changed_since(store: Store, shows: Shows) -> None:
    store.create_subscription(subscription(1, created_at=10))
    store.create_subscription(subscription(2, created_at=5, updated_at=20))
    store.create_subscription(subscription(3, created_at=30, enabled=False))
    store.create_subscription(subscription(4, created_at=30, kind="webhook"))
    for since, expected in ((0, ["s1", "s2"]), (10, ["s1", "s2"]), (11, ["s2"]), (20, ["s2"])):
        shows(lambda since=since: of_kind(store, "timer", since), expected)
    assert of_kind(store, "timer", 21) == []
    store.change_subscription("s3", lambda old: replace(old, enabled=True, updated_at=40))
    store.change_subscription("s1", lambda old: replace(old, frequency_ms=5, updated_at=41))
    shows(lambda: of_kind(store, "timer", 21), ["s1", "s3"])
    assert of_kind(store, "timer", 41) == ["s1"]
    assert of_kind(store, "timer", 42) == []


def test_the_state_of_functions_is_not_looked_at(store: Store, shows: Shows) -> None:
    store.create_function(function(1, enabled=False))
    store.create_function(function(2, deleted_at=5))
    for number, owner in ((1, "f1"), (2, "f2"), (3, "none")):
        store.create_subscription(message(number, "e1", function_id=owner))
    shows(lambda: of_kind(store, "message"), ["s1", "s2", "s3"])
    assert to(store, "e1") == ["s1", "s2", "s3"]


def test_a_project_has_so_many_of_a_kind(open_store: Open) -> None:
    """Nothing catches up here: who creates many in a row gets no more than the quota."""
    store, other = open_store(), open_store()
    for number in (1, 2, 3):
        store.create_subscription(subscription(number, enabled=number != 2))
        assert other.count_subscriptions("p", "timer") == number
    store.create_subscription(subscription(4, project_id="q"))
    store.create_subscription(subscription(5, kind="webhook", frequency_ms=None))
    store.delete_subscription("s1")
    store.change_subscription("s3", lambda old: replace(old, enabled=False))
    counted = [other.count_subscriptions(*each) for each in (("p", "timer"), ("q", "timer"))]
    assert counted == [2, 1]
    assert other.count_subscriptions("p", "webhook") == 1
    assert other.count_subscriptions("q", "webhook") == 0


def test_several_events_have_their_subscriptions(store: Store) -> None:
    for each in (
        message(4, "e1", project_id="q"),
        message(1, "e2", function_id="f2"),
        message(2, "e3"),
        message(3, "e1", kind="response"),
        subscription(5),
    ):
        store.create_subscription(each)
    assert to(store, "e1") == ["s3", "s4"]
    assert to(store, "e3", "e2") == ["s1", "s2"]
    assert to(store, "e2", "e1", "e1", "none") == ["s1", "s3", "s4"]
    assert to(store) == to(store, "none") == to(store, "") == []


def test_others_see_at_once_who_subscribes_to_an_event(open_store: Open) -> None:
    """Nothing catches up here: what was answered by the API counts for what happens next."""
    store, other = open_store(), open_store()
    for number in (1, 2, 3):
        store.create_subscription(message(number, "e1", enabled=number != 3))
        assert to(other, "e1") == ["s1", "s2"][:number]
    store.change_subscription("s3", lambda old: replace(old, enabled=True))
    store.change_subscription("s1", lambda old: replace(old, enabled=False))
    assert to(other, "e1") == ["s2", "s3"]
    store.change_subscription("s2", lambda old: replace(old, event_id="e2"))
    assert (to(other, "e1"), to(other, "e2")) == (["s3"], ["s2"])
    store.delete_subscription("s3")
    assert to(other, "e1", "e2") == ["s2"]


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
    assert other.get_subscriptions(["s1"]) == {"s1": changed}


def test_what_is_deleted_is_gone(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    for number in (1, 2):
        store.create_subscription(subscription(number))
    store.delete_subscription("s1")
    store.delete_subscription("s1")
    store.delete_subscription("none")
    assert other.subscriptions_of("f1") == [subscription(2)]
    assert other.get_subscriptions(["s1", "s2"]) == {"s2": subscription(2)}
    shows(lambda: of_kind(other, "timer"), ["s2"])
    assert other.change_subscription("s1", lambda old: replace(old, since=1)) is None
