"""What is asked of the embedded store alone: how it is durable, and which index a query uses."""

import resource
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection as Transaction

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Body
from pratai_common.store.base import (
    NewRequest,
)
from pratai_common.store.sqlite import SQLiteStore
from tests.contract.store.processes import SPAWN
from tests.contract.store.records import create
from tests.records import request
from tests.waiting import until


@pytest.mark.parametrize("work", ["read", "write"])
def test_connections_are_durable(sqlite_store: SQLiteStore, work: str) -> None:
    def settings(connection: Transaction) -> list[Any]:
        names = ("journal_mode", "synchronous")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    full = 2
    do = sqlite_store._access.read if work == "read" else sqlite_store._access.writer.run
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda _: do(settings), range(40)))
    assert found == [["wal", full]] * 40


def test_many_threads_read_at_once(sqlite_store: SQLiteStore) -> None:
    create(sqlite_store, request())
    everyone = threading.Barrier(40)

    def read(connection: Transaction) -> int:
        everyone.wait(60)
        return len(connection.exec_driver_sql("SELECT 1 FROM requests").all())

    with ThreadPoolExecutor(40) as threads:
        assert list(threads.map(lambda _: sqlite_store._access.read(read), range(40))) == [1] * 40


def test_a_file_that_was_replaced_is_not_written_to(sqlite_store: SQLiteStore, path: Path) -> None:
    create(sqlite_store, request(1))
    sqlite_store.close()
    copy = path.with_name("copy.sqlite")
    shutil.copy(path, copy)
    with closing(SQLiteStore(path)) as used:
        create(used, request(2))
        assert set(used.get_requests(["r001", "r002"])) == {"r001", "r002"}
        for each in path.parent.glob("store.sqlite-*"):
            each.unlink()
        copy.replace(path)
        create(used, request(3))
        assert set(used.get_requests(["r001", "r002", "r003"])) == {"r001", "r003"}
    with closing(SQLiteStore(path)) as other:
        assert set(other.get_requests(["r001", "r002", "r003"])) == {"r001", "r003"}


def test_a_missing_file_is_not_made_by_use(path: Path) -> None:
    with closing(SQLiteStore(path)) as store:
        with pytest.raises(StoreUnavailableError, match="unable to open"):
            store.get_requests(["r001"])
        with pytest.raises(StoreUnavailableError, match="unable to open"):
            create(store, request())
        assert not path.exists()
        store.create_schema()
        create(store, request())
        assert path.exists()


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with closing(SQLiteStore(path)) as store:
        with pytest.raises(StoreUnavailableError, match="not a database"):
            store.create_schema()
        with pytest.raises(StoreUnavailableError, match="not a database"):
            store.list_daemons()


def test_an_odd_path(tmp_path: Path) -> None:
    path = tmp_path / "a ?mode=memory&x=%41 #ö" / "s.sqlite"
    path.parent.mkdir()
    with closing(SQLiteStore(path)) as store, closing(SQLiteStore(path)) as other:
        store.create_schema()
        create(store, request())
        assert set(other.get_requests(["r001"])) == {"r001"}
    assert path.stat().st_size


def _fill_the_disk(path: Path, told: Connection) -> None:
    """Write a group whose third piece finds no room; tell what each piece failed by."""
    store = SQLiteStore(path)
    writing, go_on = threading.Event(), threading.Event()

    def hold(_connection: Transaction) -> None:
        writing.set()
        go_on.wait()

    def write(number: int, size: int) -> str:
        large = Body(sha256="s", size=size, content=b"x" * size)
        try:
            store.create_requests([NewRequest(request(number), large)])
        except StoreUnavailableError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(6) as threads:
        held = threads.submit(store._access.writer.run, hold)
        writing.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        pieces = []
        for number, size in enumerate((1, 1, 3_000_000, 1, 1)):
            pieces.append(threads.submit(write, number, size))
            until(lambda: store._access.writer._queue.qsize() == len(pieces), "the piece waits")
        go_on.set()
        held.result()
        told.send([piece.result() for piece in pieces])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        told.send(write(5, 1))
    store.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(
    sqlite_store: SQLiteStore, path: Path
) -> None:
    create(sqlite_store, request(9))
    here, there = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=_fill_the_disk, args=(path, there))
    process.start()
    there.close()
    failures = here.recv()
    later = here.recv()
    process.join()
    here.close()
    stored = sqlite_store.get_requests([f"r{number:03}" for number in range(10)])
    acknowledged = {f"r{number:03}" for number, failure in enumerate(failures) if not failure}
    assert acknowledged <= set(stored)
    assert failures[2] in ("disk I/O error", "database or disk is full")
    assert set(failures) <= {"", failures[2]}
    assert later == ""
    assert {"r005", "r009"} <= set(stored)
    assert "r002" not in stored
