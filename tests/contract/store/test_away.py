"""A store that is away says so, whatever is asked of it, and serves again when it is back."""

from collections.abc import Callable
from contextlib import closing

import pytest

from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import (
    EventFilter,
    FunctionFilter,
    NewRequest,
    RequestChange,
    RequestFilter,
    Store,
)
from tests.contract.store.kinds import Kind
from tests.contract.store.records import (
    ALL,
    api_key,
    body,
    chunk,
    daemon,
    event,
    settled,
    subscription,
    version,
)
from tests.records import function, request

CALLS: dict[str, Callable[[Store, str], object]] = {
    "create_schema": lambda store, _: store.create_schema(),
    "schema_gaps": lambda store, _: store.schema_gaps(),
    "create_function": lambda store, new: store.create_function(
        function(function_id=new, name=new)
    ),
    "get_functions": lambda store, _: store.get_functions(["f1"]),
    "list_functions": lambda store, _: store.list_functions("p", FunctionFilter(), ALL),
    "count_code": lambda store, _: store.count_code("p"),
    "function_of_endpoint": lambda store, _: store.function_of_endpoint("token"),
    "change_function": lambda store, _: store.change_function("f1", lambda old: old),
    "create_version": lambda store, _: store.create_version(version()),
    "list_versions": lambda store, _: store.list_versions("f1"),
    "change_version": lambda store, _: store.change_version("f1", 1, lambda old: old),
    "create_requests": lambda store, _: store.create_requests([NewRequest(request(), body())]),
    "get_requests": lambda store, _: store.get_requests(["r001"]),
    "list_requests": lambda store, _: store.list_requests("p", RequestFilter(), ALL),
    "due_requests": lambda store, _: store.due_requests(1000, 10),
    "count_waiting": lambda store, _: store.count_waiting(),
    "count_requests": lambda store, _: store.count_requests("p"),
    "running_requests": lambda store, _: store.running_requests(10),
    "following_requests": lambda store, _: store.following_requests(1000, 10),
    "change_requests": lambda store, _: store.change_requests([RequestChange("r001", settled())]),
    "get_input": lambda store, _: store.get_input("r001"),
    "get_result": lambda store, _: store.get_result("r001"),
    "add_log_chunks": lambda store, _: store.add_log_chunks([chunk()]),
    "log_chunks": lambda store, _: store.log_chunks("r001"),
    "delete_ended_requests": lambda store, _: store.delete_ended_requests(1, 10),
    "create_event": lambda store, new: store.create_event(event(event_id=new, name=new)),
    "get_events": lambda store, _: store.get_events(["e1"]),
    "list_events": lambda store, _: store.list_events("p", EventFilter(), ALL),
    "sourced_events": lambda store, _: store.sourced_events(),
    "change_event": lambda store, _: store.change_event("e1", lambda old: old),
    "remove_event": lambda store, _: store.remove_event("none"),
    "create_subscription": lambda store, new: store.create_subscription(
        subscription(subscription_id=new)
    ),
    "get_subscriptions": lambda store, _: store.get_subscriptions(["s1"]),
    "list_subscriptions": lambda store, _: store.list_subscriptions("timer"),
    "subscriptions_of": lambda store, _: store.subscriptions_of("f1"),
    "subscriptions_to": lambda store, _: store.subscriptions_to(["e1"]),
    "count_subscriptions": lambda store, _: store.count_subscriptions("p", "timer"),
    "change_subscription": lambda store, _: store.change_subscription("s1", lambda old: old),
    "delete_subscription": lambda store, _: store.delete_subscription("none"),
    "create_key": lambda store, new: store.create_key(api_key(prefix=new)),
    "get_key": lambda store, _: store.get_key("prk_1"),
    "list_keys": lambda store, _: store.list_keys("p"),
    "delete_key": lambda store, _: store.delete_key("none"),
    "put_mark": lambda store, _: store.put_mark("m", 1),
    "get_mark": lambda store, _: store.get_mark("m"),
    "put_daemon": lambda store, _: store.put_daemon(daemon()),
    "list_daemons": lambda store, _: store.list_daemons(),
    "remove_daemon": lambda store, _: store.remove_daemon("driver", "none"),
    "acquire_lease": lambda store, _: store.acquire_lease("l", "a", 1000, 100),
    "release_lease": lambda store, _: store.release_lease("l", "none"),
}
"""A call of every method; the name is a new one for what can be created once only."""


def outcomes(store: Store, new: str) -> dict[str, str]:
    """Return what each call raised, if anything."""
    found = {}
    for name, call in CALLS.items():
        try:
            call(store, new)
        except StoreUnavailableError:
            found[name] = "away"
        else:
            found[name] = "served"
    return found


def everything(outcome: str) -> dict[str, str]:
    return dict.fromkeys(CALLS, outcome)


def test_every_method_is_called() -> None:
    assert set(CALLS) == Store.__abstractmethods__ - {"from_conf", "close"}


def test_a_store_in_use_goes_away_and_comes_back(kind: Kind) -> None:
    with closing(kind.open()) as store:
        assert outcomes(store, "first") == everything("served")
        kind.away()
        assert outcomes(store, "second") == everything("away")
        kind.back()
        assert outcomes(store, "third") == everything("served")
        for found in (store.get_functions, store.get_events):
            assert set(found(["first", "second", "third"])) == {"first", "third"}


def test_a_store_is_opened_while_it_is_away(kind: Kind) -> None:
    kind.away()
    with closing(kind.open()) as store:
        assert outcomes(store, "first") == everything("away")
        kind.back()
        assert outcomes(store, "second") == everything("served")


def test_a_store_that_was_closed_is_away(kind: Kind) -> None:
    store = kind.open()
    store.create_function(function())
    store.close()
    store.close()
    for name in (name for name in CALLS if name.startswith(("create_", "change_", "put_"))):
        with pytest.raises(StoreUnavailableError):
            CALLS[name](store, "late")
    with closing(kind.open()) as again:
        assert set(again.get_functions(["f1", "late"])) == {"f1"}
