"""Functions, their endpoints and their versions."""

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import Function, FunctionStatus
from pratai_common.store.base import FunctionFilter, Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import ALL, version
from tests.records import function


def test_a_function_is_read_by_everyone_as_it_was_written(open_store: Open) -> None:
    store, other = open_store(), open_store()
    full = function(environment={"Ä": '"\n'}, limit=2, public=True, endpoint_token="t", cpus=0.5)
    full = replace(full, isolation="shared", spares=0)
    store.create_function(full)
    store.create_function(function(2))
    assert other.get_functions(["f1", "none", "f1"]) == {"f1": full}
    assert other.get_functions([]) == {}


def test_a_name_is_unique_among_the_living_of_a_project(store: Store) -> None:
    store.create_function(function(1, name="same"))
    store.create_function(function(2, name="same", project_id="q"))
    with pytest.raises(NameTakenError, match="same"):
        store.create_function(function(3, name="same"))
    assert store.get_functions(["f3"]) == {}
    store.change_function("f1", lambda old: replace(old, deleted_at=5))
    store.create_function(function(3, name="same"))
    assert set(store.get_functions(["f1", "f2", "f3"])) == {"f1", "f2", "f3"}


def test_names_differ_by_case(store: Store) -> None:
    store.create_function(function(1, name="same"))
    store.create_function(function(2, name="Same"))
    assert set(store.get_functions(["f1", "f2"])) == {"f1", "f2"}


def test_a_taken_name_is_not_given_by_a_change(store: Store) -> None:
    store.create_function(function(1, name="one"))
    store.create_function(function(2, name="two", endpoint_token="old"))
    with pytest.raises(NameTakenError, match="one"):
        store.change_function("f2", lambda old: replace(old, name="one", endpoint_token="new"))
    assert store.get_functions(["f2"])["f2"].name == "two"
    assert store.function_of_endpoint("new") is None
    assert store.function_of_endpoint("old") is not None
    store.change_function("f1", lambda old: replace(old, name="free"))
    changed = store.change_function("f2", lambda old: replace(old, name="one"))
    assert changed == store.get_functions(["f2"])["f2"]
    assert changed.name == "one"


def test_a_change_returns_what_is_stored(store: Store) -> None:
    store.create_function(function())
    seen: list[Function] = []

    def apply(old: Function) -> Function:
        seen.append(old)
        return replace(old, version=2)

    changed = store.change_function("f1", apply)
    assert changed == replace(function(), version=2)
    assert seen[-1] == function()
    assert store.change_function("f1", lambda _old: None) == changed
    assert store.get_functions(["f1"]) == {"f1": changed}


def test_no_change_of_what_is_not_there(store: Store) -> None:
    store.create_function(function())
    store.create_version(version(1))
    assert store.change_function("none", lambda old: replace(old, version=2)) is None
    assert store.change_version("f1", 2, lambda old: replace(old, size=2)) is None
    assert store.change_version("none", 1, lambda old: replace(old, size=2)) is None
    assert store.get_functions(["f1", "none"]) == {"f1": function()}
    assert store.list_versions("f1") == [version(1)]


def test_a_deleted_function_stays_and_is_not_listed(store: Store, shows: Shows) -> None:
    for number in (1, 2):
        store.create_function(function(number))
    shows(lambda: store.list_functions("p", FunctionFilter(), ALL), [function(2), function(1)])
    deleted = store.change_function("f2", lambda old: replace(old, deleted_at=5))
    assert store.get_functions(["f2"]) == {"f2": deleted}
    shows(lambda: store.list_functions("p", FunctionFilter(), ALL), [function(1)])


def test_a_function_is_found_by_its_endpoint(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.create_function(function(1, endpoint_token="first"))
    store.create_function(function(2, endpoint_token="another"))
    store.create_function(function(3))
    assert other.function_of_endpoint("first") == function(1, endpoint_token="first")
    assert other.function_of_endpoint("another") == function(2, endpoint_token="another")
    for nobody in ("", "none", "First", "firs", "f3", "f1"):
        assert other.function_of_endpoint(nobody) is None


def test_only_the_newest_token_of_an_endpoint_counts(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.create_function(function(1, endpoint_token="first"))
    assert other.function_of_endpoint("first") is not None
    for former, newer in (("first", "second"), ("second", "third")):
        changed = store.change_function(
            "f1", lambda old, newer=newer: replace(old, endpoint_token=newer)
        )
        assert other.function_of_endpoint(newer) == changed
        assert other.function_of_endpoint(former) is None
    store.change_function("f1", lambda old: replace(old, endpoint_token=None))
    assert other.function_of_endpoint("third") is None


def test_a_function_gets_its_endpoint_later(store: Store) -> None:
    store.create_function(function(1))
    assert store.function_of_endpoint("late") is None
    changed = store.change_function("f1", lambda old: replace(old, endpoint_token="late"))
    assert store.function_of_endpoint("late") == changed
    assert changed == function(1, endpoint_token="late")


def test_a_deleted_function_has_no_endpoint(open_store: Open) -> None:
    store, other = open_store(), open_store()
    store.create_function(function(1, endpoint_token="token"))
    assert other.function_of_endpoint("token") is not None
    store.change_function("f1", lambda old: replace(old, deleted_at=5))
    assert other.function_of_endpoint("token") is None


def test_versions(open_store: Open) -> None:
    store, other = open_store(), open_store()
    assert store.create_version(version(2))
    assert store.create_version(version(10))
    assert store.create_version(version(1))
    assert store.create_version(version(1, function_id="f2"))
    assert not store.create_version(version(1, size=99))
    assert other.list_versions("f1") == [version(1), version(2), version(10)]
    assert other.list_versions("f2") == [version(1, function_id="f2")]
    assert other.list_versions("none") == []


def test_a_version_is_changed_alone(open_store: Open) -> None:
    store, other = open_store(), open_store()
    for number in (1, 2):
        store.create_version(version(number))
    changed = store.change_version(
        "f1", 2, lambda old: replace(old, status=FunctionStatus.ERROR, build_error="no pip")
    )
    assert changed == version(2, status=FunctionStatus.ERROR, build_error="no pip")
    assert other.list_versions("f1") == [version(1), changed]
    assert store.change_version("f1", 2, lambda _old: None) == changed
