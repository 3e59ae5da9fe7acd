"""What DESIGN asks of a store, of every implementation, on the real thing."""

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import (
    Body,
    Daemon,
    FunctionStatus,
    LogChunk,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store.base import (
    Changed,
    FunctionFilter,
    NewRequest,
    Page,
    RequestChange,
    RequestFilter,
    Store,
)
from pratai_common.store.sqlite import SQLiteStore
from tests.records import function, request

Open = Callable[[], Store]
ALL = Page(1000)


@pytest.fixture(params=["sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again and again, as several processes do."""
    assert request.param == "sqlite"
    stores: list[Store] = []

    def open_one() -> Store:
        stores.append(SQLiteStore(tmp_path / "store.sqlite"))
        return stores[-1]

    first = open_one()
    first.create_schema()
    first.create_schema()
    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Open) -> Store:
    return opened()


def body(content: bytes | None = b"{}") -> Body:
    return Body(sha256="s", size=2, content=content)


def settled(status: Status = Status.SUCCESS) -> Callable[[Request], Changed | None]:
    def apply(old: Request) -> Changed | None:
        return None if old.status.final else Changed(replace(old, status=status), body(b"[1]"))

    return apply


def test_functions(store: Store) -> None:
    for number in (1, 2, 3):
        store.create_function(function(number))
    store.create_function(function(4, project_id="q"))
    assert store.get_functions(["f1", "none"]) == {"f1": function(1)}
    assert [each.name for each in store.list_functions("p", FunctionFilter(), ALL)] == [
        "name3",
        "name2",
        "name1",
    ]
    assert store.list_functions("p", FunctionFilter("name2"), ALL) == [function(2)]
    assert store.list_functions("q", FunctionFilter("name2"), ALL) == []


def test_a_name_is_unique_among_the_living_of_a_project(store: Store) -> None:
    store.create_function(function(1, name="same"))
    store.create_function(function(2, name="same", project_id="q"))
    with pytest.raises(NameTakenError):
        store.create_function(function(3, name="same"))
    store.change_function("f1", lambda old: replace(old, deleted_at=5))
    store.create_function(function(3, name="same"))
    assert [
        each.function_id for each in store.list_functions("p", FunctionFilter("same"), ALL)
    ] == ["f3"]
    assert store.get_functions(["f1"])["f1"].deleted_at == 5


def test_a_change_returns_what_is_stored(store: Store) -> None:
    store.create_function(function())
    changed = store.change_function("f1", lambda old: replace(old, version=2))
    assert changed is not None
    assert changed.version == 2
    assert store.change_function("f1", lambda old: None) == changed
    assert store.change_function("none", lambda old: old) is None
    assert store.get_functions(["f1"]) == {"f1": changed}


def test_versions(store: Store) -> None:
    def version(number: int) -> Version:
        return Version(
            function_id="f1",
            number=number,
            project_id="p",
            runtime="python3",
            archive_sha256="s",
            size=1,
            build_request_id="b",
            created_at=1,
        )

    assert store.create_version(version(2))
    assert store.create_version(version(1))
    assert not store.create_version(version(1))
    assert store.list_versions("f1") == [version(1), version(2)]
    store.change_version("f1", 2, lambda old: replace(old, status=FunctionStatus.ACTIVE))
    assert store.list_versions("f1")[1].status is FunctionStatus.ACTIVE
    assert store.change_version("f1", 3, lambda old: old) is None
    assert store.list_versions("f2") == []


def test_a_request_is_created_once(store: Store) -> None:
    first = store.create_requests([NewRequest(request(1), body()), NewRequest(request(2), None)])
    assert [created.new for created in first] == [True, True]
    again = store.create_requests([NewRequest(request(1, user_id="other"), body(b"other"))])
    assert [(created.new, created.request) for created in again] == [(False, request(1))]
    assert store.get_input("r001") == body()
    assert store.get_input("r002") is None
    assert store.get_requests(["r001", "none"]) == {"r001": request(1)}


def test_one_of_many_creates_a_request(opened: Open) -> None:
    stores = [opened() for _ in range(3)]
    new: list[bool] = []

    def create(store: Store) -> None:
        new.extend(created.new for created in store.create_requests([NewRequest(request(), None)]))

    threads = [threading.Thread(target=create, args=(store,)) for store in stores for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False] * 14 + [True]


def test_one_of_many_settles_a_request(opened: Open) -> None:
    stores = [opened() for _ in range(3)]
    stores[0].create_requests([NewRequest(request(), None)])
    wins = itertools.count()

    def apply(old: Request) -> Changed | None:
        if old.status.final:
            return None
        return Changed(replace(old, status=Status.SUCCESS, message=str(next(wins))))

    def settle(store: Store) -> None:
        store.change_requests([RequestChange("r001", apply)])

    threads = [threading.Thread(target=settle, args=(store,)) for store in stores * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    message = stores[0].get_requests(["r001"])["r001"].message
    assert all(store.get_requests(["r001"])["r001"].message == message for store in stores)
    assert message == "0"


def test_changes_are_made_each_alone(store: Store) -> None:
    store.create_requests([NewRequest(request(1), None), NewRequest(request(2), None)])
    store.change_requests([RequestChange("r001", settled())])
    after = store.change_requests(
        [RequestChange(name, settled(Status.ERROR)) for name in ("r001", "r002", "none")]
    )
    assert [each.status if each else None for each in after] == [
        Status.SUCCESS,
        Status.ERROR,
        None,
    ]
    assert store.get_result("r001") == body(b"[1]")
    assert store.get_result("none") is None


def test_a_result_is_written_once(store: Store) -> None:
    store.create_requests([NewRequest(request(), None)])
    for content in (b"first", b"second"):
        change = RequestChange("r001", lambda old, content=content: Changed(old, body(content)))
        store.change_requests([change])
    assert store.get_result("r001") == body(b"first")


def test_lists_of_requests(store: Store) -> None:
    store.create_requests([NewRequest(request(number), None) for number in range(1, 6)])
    store.create_requests(
        [
            NewRequest(request(6, project_id="q"), None),
            NewRequest(request(7, kind="build"), None),
            NewRequest(request(8, function_id="f2"), None),
        ]
    )
    store.change_requests([RequestChange("r002", settled())])

    def listed(page: Page = ALL, **which: Any) -> list[str]:
        found = store.list_requests("p", RequestFilter(**which), page)
        return [each.request_id for each in found]

    assert listed() == ["r008", "r005", "r004", "r003", "r002", "r001"]
    assert listed(function_id="f2") == ["r008"]
    assert listed(status=Status.SUCCESS) == ["r002"]
    assert listed(Page(2)) == ["r008", "r005"]
    assert listed(Page(2, "r005")) == ["r004", "r003"]
    assert listed(Page(9, "r001")) == []
    assert listed(Page(9, "none")) == []


def test_pages_of_requests_of_one_moment(store: Store) -> None:
    store.create_requests([NewRequest(request(number, created_at=1), None) for number in range(5)])
    seen: list[str] = []
    marker = None
    while found := store.list_requests("p", RequestFilter(), Page(2, marker)):
        seen += [each.request_id for each in found]
        marker = seen[-1]
    assert sorted(seen) == [f"r{number:03}" for number in range(5)]


def test_what_is_due(store: Store) -> None:
    store.create_requests([NewRequest(request(number), None) for number in (3, 1, 2, 9)])
    store.create_requests([NewRequest(request(4, status=Status.SCHEDULED), None)])
    store.change_requests([RequestChange("r002", settled())])
    due = [each.request_id for each in store.due_requests(5, 10)]
    assert due == ["r001", "r003", "r004"]
    assert [each.request_id for each in store.due_requests(5, 1)] == ["r001"]
    assert store.due_requests(0, 10) == []


def test_what_runs(store: Store) -> None:
    store.create_requests([NewRequest(request(number), None) for number in (1, 2)])
    store.change_requests(
        [RequestChange("r001", lambda old: Changed(replace(old, status=Status.RUNNING)))]
    )
    assert [each.request_id for each in store.running_requests(10)] == ["r001"]


def test_logs(store: Store) -> None:
    def chunk(attempt: int, seq: int, content: bytes = b"\xff\x00") -> LogChunk:
        return LogChunk(
            request_id="r001", attempt=attempt, seq=seq, project_id="p", content=content
        )

    store.add_log_chunks([])
    store.add_log_chunks([chunk(2, 0), chunk(1, 1), chunk(1, 0)])
    store.add_log_chunks([chunk(1, 0, b"again"), chunk(1, 2)])
    assert store.log_chunks("r001") == [chunk(1, 0), chunk(1, 1), chunk(1, 2), chunk(2, 0)]
    assert store.log_chunks("none") == []


def test_subscriptions(store: Store) -> None:
    def subscription(number: int, **values: Any) -> Subscription:
        return Subscription(
            subscription_id=f"s{number}",
            function_id=f"f{number}",
            project_id="p",
            user_id="u",
            kind="timer",
            frequency_ms=1000,
            created_at=1,
            **values,
        )

    for number in (1, 2, 3):
        store.create_function(function(number))
    for each in (subscription(1), subscription(2), subscription(3, enabled=False)):
        store.create_subscription(each)
    assert store.list_subscriptions("timer") == [subscription(1), subscription(2)]
    store.change_function("f1", lambda old: replace(old, deleted_at=5))
    assert store.list_subscriptions("timer") == [subscription(2)]
    assert store.list_subscriptions("other") == []


def test_daemons(store: Store) -> None:
    def daemon(seen_at: int) -> Daemon:
        return Daemon(
            daemon_type="driver",
            daemon_id="n",
            joined_at=1,
            seen_at=seen_at,
            ip="127.0.0.1",
            version="1",
            runtimes={"python3": "image"},
        )

    store.put_daemon(daemon(1))
    store.put_daemon(daemon(2))
    assert store.list_daemons() == [daemon(2)]
    store.remove_daemon("scheduler", "n")
    assert store.list_daemons() == [daemon(2)]
    store.remove_daemon("driver", "n")
    assert store.list_daemons() == []


def test_a_lease_has_one_holder_and_its_epoch_grows(store: Store) -> None:
    assert store.acquire_lease("l", "a", 0, 100) == ("a", 1)
    assert store.acquire_lease("l", "b", 50, 100) is None
    assert store.acquire_lease("l", "a", 90, 100) == ("a", 1)
    assert store.acquire_lease("l", "b", 150, 100) is None
    assert store.acquire_lease("l", "b", 190, 100) == ("b", 2)
    assert store.acquire_lease("other", "a", 190, 100) == ("a", 1)
    store.release_lease("l", "a")
    assert store.acquire_lease("l", "a", 200, 100) is None
    store.release_lease("l", "b")
    assert store.acquire_lease("l", "a", 200, 100) == ("a", 3)


def test_what_a_change_raises_is_raised_and_others_go_on(store: Store) -> None:
    store.create_requests([NewRequest(request(), None)])

    def fail(_old: Request) -> Changed | None:
        raise ValueError("the change")

    with pytest.raises(ValueError, match="the change"):
        store.change_requests([RequestChange("r001", fail)])
    assert store.get_requests(["r001"]) == {"r001": request()}


def _write_and_wait(path: str, told: Any) -> None:
    store = SQLiteStore(Path(path))
    for number in range(200):
        store.create_requests([NewRequest(request(number), body())])
        told.send(number)
    signal.pause()


def test_what_was_written_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first = SQLiteStore(path)
    first.create_schema()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_write_and_wait, args=(str(path), there))
    process.start()
    acknowledged = [here.recv() for _ in range(50)]
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    while here.poll():
        acknowledged.append(here.recv())
    stored = first.get_requests([f"r{number:03}" for number in range(200)])
    first.close()
    assert len(acknowledged) >= 50
    assert {f"r{number:03}" for number in acknowledged} <= set(stored)
