"""Which index each read of the embedded store uses: none reads a whole table, none sorts one."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from pratai_common.records import Status
from pratai_common.store import sqlite_rows as rows
from pratai_common.store import sqlite_statements as statements
from pratai_common.store.base import EventFilter, FunctionFilter, Page, Position, RequestFilter
from pratai_common.store.sqlite import SQLiteStore

READS: dict[str, tuple[Callable[[SQLiteStore], object], str]] = {
    "due": (lambda store: store.due_requests(1, 9), "requests_waiting"),
    "due besides": (
        lambda store: store.due_requests(1, 9, ["f1"], ["p"]),
        "requests_waiting",
    ),
    "waiting": (lambda store: store.count_waiting(), "sqlite_autoindex_waiting_1"),
    "running": (lambda store: store.running_requests(9), "requests_running"),
    "following": (lambda store: store.following_requests(5, 9), "requests_following"),
    "endpoint": (lambda store: store.function_of_endpoint("t"), "endpoints_by_token"),
    "versions": (lambda store: store.list_versions("f1"), "sqlite_autoindex_versions_1"),
    "logs": (lambda store: store.log_chunks("r001"), "sqlite_autoindex_log_chunks_1"),
    "logs behind": (
        lambda store: store.log_chunks("r001", Position(1, 2)),
        "sqlite_autoindex_log_chunks_1",
    ),
    "subscriptions of a kind": (
        lambda store: store.list_subscriptions("timer"),
        "subscriptions_by_change",
    ),
    "subscriptions changed since": (
        lambda store: store.list_subscriptions("timer", 5),
        "subscriptions_by_change",
    ),
    "subscriptions by id": (
        lambda store: store.get_subscriptions(["s1", "s2"]),
        "sqlite_autoindex_subscriptions_1",
    ),
    "subscriptions of a function": (
        lambda store: store.subscriptions_of("f1"),
        "subscriptions_by_function",
    ),
    "subscriptions of a project": (
        lambda store: store.count_subscriptions("p", "timer"),
        "subscriptions_by_project",
    ),
    "events by id": (lambda store: store.get_events(["e1", "e2"]), "sqlite_autoindex_events_1"),
    "sourced events": (lambda store: store.sourced_events(), "events_sourced"),
    "API key": (lambda store: store.get_key("prk_1"), "sqlite_autoindex_api_keys_1"),
    "API keys of a project": (lambda store: store.list_keys("p"), "api_keys_by_age"),
    "requests counted": (lambda store: store.count_requests("p"), "requests_of_status"),
    "code": (lambda store: store.count_code("p"), "sqlite_autoindex_versions_1"),
    "mark": (lambda store: store.get_mark("m"), "sqlite_autoindex_marks_1"),
    "daemons": (lambda store: store.list_daemons(), "sqlite_autoindex_daemons_1"),
}
"""A read of each kind, and the index that it must use."""


COMPILED: dict[str, tuple[str, dict[str, str], str]] = {
    "subscriptions to events": (
        statements.SUBSCRIPTIONS_TO,
        {"ids": '["e1", "e2"]'},
        "subscriptions_by_event",
    ),
    "requests by id": (
        statements.REQUESTS,
        {"ids": statements.as_list(["r001", "r002"])},
        "sqlite_autoindex_requests_1",
    ),
    "functions by id": (
        statements.FUNCTIONS,
        {"ids": statements.as_list(["f1"])},
        "sqlite_autoindex_functions_1",
    ),
    "body": (
        statements.BODY,
        {"request_id": "r001", "part": "input"},
        "sqlite_autoindex_bodies_1",
    ),
}
"""A statement that is compiled once, its parameters, and the index that it must use."""


def _requests(page: Page, **which: Any) -> Callable[[SQLiteStore], object]:
    return lambda store: store.list_requests("p", RequestFilter(**which), page)


def _functions(page: Page, **which: Any) -> Callable[[SQLiteStore], object]:
    return lambda store: store.list_functions("p", FunctionFilter(**which), page)


def _events(page: Page, **which: Any) -> Callable[[SQLiteStore], object]:
    return lambda store: store.list_events("p", EventFilter(**which), page)


for _page in (Page(9), Page(9, "r001"), Page(9, descending=False), Page(9, "r1", descending=False)):
    for _which, _index in (
        ({}, "requests_by_age"),
        ({"function_id": "f1"}, "requests_of_function"),
        ({"status": Status.ERROR}, "requests_of_status"),
        ({"source": "timer"}, "requests_of_source"),
        ({"dead": True}, "requests_dead"),
        ({"dead": False}, "requests_by_age"),
        ({"function_id": "f1", "status": Status.RUNNING}, "requests_of_function_status"),
        ({"parent_id": "r1"}, "requests_of_parent"),
        ({"root_id": "r1"}, "requests_of_root"),
    ):
        READS[f"requests {_page} {_which}"] = _requests(_page, **_which), _index
    READS[f"requests of all {_page}"] = (
        lambda store, page=_page: store.list_requests(None, RequestFilter(), page),
        "requests_of_all_projects",
    )
    READS[f"functions of all {_page}"] = (
        lambda store, page=_page: store.list_functions(None, FunctionFilter(), page),
        "functions_of_all_projects",
    )
    READS[f"functions {_page}"] = _functions(_page), "functions_by_age"
    READS[f"functions {_page} of a type"] = _functions(_page, type="async"), "functions_by_age"
    READS[f"events {_page}"] = _events(_page), "events_by_age"
    READS[f"events {_page} of a source"] = _events(_page, source="message"), "events_by_age"
    READS[f"events of all {_page}"] = (
        lambda store, page=_page: store.list_events(None, EventFilter(), page),
        "events_of_all_projects",
    )
    _named = _page._replace(sort="name")
    READS[f"events {_named}"] = _events(_named), "events_named"
    READS[f"functions {_named}"] = _functions(_named), "functions_named"


def plan_of(path: Path, statement: str, parameters: Any) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    return [step[3] for step in steps]


def wasteful(plan: list[str]) -> list[str]:
    """Return the steps that sort, or that read a whole table; ids asked for are no table."""
    return [
        step
        for step in plan
        if "TEMP B-TREE" in step
        or (step.startswith("SCAN") and not re.search("USING INDEX|VIRTUAL TABLE", step))
    ]


@pytest.mark.parametrize("name", READS)
def test_a_read_uses_its_index(sqlite_store: SQLiteStore, path: Path, name: str) -> None:
    read, index = READS[name]
    noted: list[tuple[str, Any]] = []

    @event.listens_for(sqlite_store._access._readers, "before_cursor_execute")
    def _note(_c: object, _d: object, statement: str, parameters: Any, *_: object) -> None:
        noted.append((statement, parameters))

    read(sqlite_store)
    selects = [each for each in noted if each[0].startswith("SELECT")]
    assert len(selects) == 1
    check(plan_of(path, *selects[0]), index)


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_statement_uses_its_index(
    sqlite_store: SQLiteStore, path: Path, name: str
) -> None:
    statement, parameters, index = COMPILED[name]
    check(plan_of(path, statement, parameters), index)


def test_what_ended_is_found_by_its_index(sqlite_store: SQLiteStore, path: Path) -> None:
    statement = rows.ended_requests(5, 9).compile(compile_kwargs={"literal_binds": True})
    check(plan_of(path, str(statement), ()), "requests_ended")


def check(plan: list[str], index: str) -> None:
    assert wasteful(plan) == []
    assert any(f" INDEX {index} " in f"{step} " for step in plan), plan


def test_a_wasteful_plan_is_seen(sqlite_store: SQLiteStore, path: Path) -> None:
    plan = plan_of(path, "SELECT doc FROM requests ORDER BY doc", ())
    assert wasteful(plan) == plan
    assert len(plan) == 2
