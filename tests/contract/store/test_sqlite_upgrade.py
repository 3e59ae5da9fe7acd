"""A database of the first milestone works after the schema was made again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import Body, Status
from pratai_common.store.base import (
    EventFilter,
    FunctionFilter,
    NewRequest,
    RequestFilter,
    Waiting,
)
from pratai_common.store.sqlite import SQLiteStore
from tests.contract.store.records import (
    ALL,
    api_key,
    body,
    event,
    ids,
    numbered,
    set_to,
    subscription_ids,
)
from tests.records import function

SCHEMA = "SELECT name, sql FROM sqlite_master ORDER BY name"


@pytest.fixture
def old_path(tmp_path: Path) -> Path:
    """Where a database of the first milestone lies."""
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(Path(__file__).with_name("first_milestone.sql").read_text())
    return path


@pytest.fixture
def upgraded(old_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(old_path)
    store.create_schema()
    store.create_schema()
    yield store
    store.close()


def test_old_records_are_read(upgraded: SQLiteStore) -> None:
    found = upgraded.get_functions(["f1", "f2"])
    assert found["f1"].enabled
    assert found["f1"].shared_with == ()
    assert found["f1"].endpoint_token is None
    assert found["f2"].deleted_at == 3
    assert [each.number for each in upgraded.list_versions("f1")] == [1]
    assert [each.since for each in upgraded.subscriptions_of("f1")] == [None]
    assert upgraded.get_requests(["r1"])["r1"].attempts[0].finished_at == 9
    assert upgraded.get_input("r1") == Body(sha256="s", size=8, content=b'{"a": 1}')
    assert upgraded.get_result("r1") == Body(sha256="s", size=3, content=b"[1]")
    assert [each.content for each in upgraded.log_chunks("r1")] == [b"hello\n"]
    assert [each.daemon_id for each in upgraded.list_daemons()] == ["n"]
    assert upgraded.acquire_lease("scheduler", "b", 1000, 100) is None
    assert upgraded.acquire_lease("scheduler", "b", 1001, 100) == ("b", 2)


def listed(store: SQLiteStore, **which: Any) -> list[str]:
    return ids(store.list_requests("p", RequestFilter(**which), ALL))


def test_old_records_are_in_the_lists(upgraded: SQLiteStore) -> None:
    functions = upgraded.list_functions("p", FunctionFilter(), ALL)
    assert [each.function_id for each in functions] == ["f1"]
    assert len(upgraded.list_subscriptions("timer")) == 1
    assert ids(upgraded.due_requests(100, 9)) == ["b1", "r3"]
    assert upgraded.count_waiting() == Waiting(2, {"p": 2})
    counted = {Status.SUCCESS: 1, Status.RUNNING: 1, Status.QUEUED: 1}
    assert upgraded.count_requests("p") == counted
    assert upgraded.count_code("p").functions == 1
    assert ids(upgraded.running_requests(9)) == ["r2"]
    assert listed(upgraded) == listed(upgraded, dead=False) == ["r3", "r2", "r1"]
    assert listed(upgraded, dead=True) == []
    assert listed(upgraded, source="timer") == ["r2"]
    assert listed(upgraded, status=Status.SUCCESS) == ["r1"]
    assert upgraded.following_requests(1000, 9) == []
    assert listed(upgraded, parent_id="r1") == listed(upgraded, root_id="r1") == []


def test_an_old_subscription_was_changed_when_it_was_created(upgraded: SQLiteStore) -> None:
    assert upgraded.get_subscriptions(["s1"])["s1"].updated_at is None
    assert subscription_ids(upgraded.list_subscriptions("timer", 1)) == ["s1"]
    assert upgraded.list_subscriptions("timer", 2) == []
    assert upgraded.subscriptions_to(["f1", ""]) == []
    upgraded.change_subscription("s1", lambda old: replace(old, event_id="e1", updated_at=5))
    assert subscription_ids(upgraded.list_subscriptions("timer", 2)) == ["s1"]
    assert subscription_ids(upgraded.subscriptions_to(["e1"])) == ["s1"]


def test_events_keys_and_marks_are_kept_from_now_on(upgraded: SQLiteStore) -> None:
    assert upgraded.list_events("p", EventFilter(), ALL) == upgraded.sourced_events() == []
    assert upgraded.get_mark("m") is None
    assert upgraded.list_keys("p") == []
    made = event(1, source="message")
    upgraded.create_event(made)
    upgraded.put_mark("m", 5)
    assert upgraded.create_key(api_key())
    assert upgraded.list_events("p", EventFilter(), ALL) == upgraded.sourced_events() == [made]
    assert upgraded.get_mark("m") == 5
    assert upgraded.list_keys("p") == [upgraded.get_key("prk_1")] == [api_key()]


def test_old_records_change_and_new_ones_stand_beside_them(upgraded: SQLiteStore) -> None:
    upgraded.change_requests([set_to("r3", status=Status.ERROR, dead=True)])
    assert upgraded.count_waiting() == Waiting(1, {"p": 1})
    assert listed(upgraded, dead=True) == ["r3"]
    assert listed(upgraded, dead=False) == ["r2", "r1"]
    changed = upgraded.change_function("f1", lambda old: replace(old, endpoint_token="t"))
    assert upgraded.function_of_endpoint("t") == changed
    upgraded.change_subscription("s1", lambda old: replace(old, since=7))
    assert [each.since for each in upgraded.list_subscriptions("timer")] == [7]
    upgraded.create_requests([NewRequest(each, body()) for each in numbered(1, 2)])
    assert listed(upgraded, source="http") == ["r3", "r1", "r002", "r001"]
    later = {"following": True, "parent_id": "r2", "root_id": "r2"}
    upgraded.change_requests([set_to("r1", **later)])
    assert ids(upgraded.following_requests(1000, 9)) == ["r1"]
    assert listed(upgraded, parent_id="r2") == listed(upgraded, root_id="r2") == ["r1"]
    with pytest.raises(NameTakenError):
        upgraded.create_function(function(3, name="name1"))
    upgraded.create_function(function(3, name="name2"))


def test_its_schema_is_that_of_a_new_one(
    old_path: Path, sqlite_store: SQLiteStore, path: Path
) -> None:
    with closing(sqlite3.connect(old_path)) as old, closing(sqlite3.connect(path)) as new:
        assert old.execute(SCHEMA).fetchall() != new.execute(SCHEMA).fetchall()
        with closing(SQLiteStore(old_path)) as opened:
            opened.create_schema()
        assert old.execute(SCHEMA).fetchall() == new.execute(SCHEMA).fetchall()
        sqlite_store.create_schema()
        assert old.execute(SCHEMA).fetchall() == new.execute(SCHEMA).fetchall()
