"""Several threads' writes in one transaction: what becomes of each."""

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert

from pratai_common.errors import NameTakenError, StoreUnavailableError
from pratai_common.store import sqlite_rows as rows
from pratai_common.store import sqlite_schema as schema
from pratai_common.store.group_commit import GroupCommit
from tests.records import function
from tests.waiting import until

Work = Callable[[Connection], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "store.sqlite").touch()
    return tmp_path / "store.sqlite"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    made = rows.engine(path, "BEGIN IMMEDIATE")
    yield made
    made.dispose()


@pytest.fixture
def turns(path: Path) -> Path:
    return path.with_name("turns")


@pytest.fixture
def writer(engine: Engine, turns: Path) -> Iterator[GroupCommit]:
    made = GroupCommit(engine, turns)
    made.run(schema.create)
    yield made
    made.close()


def add(name: str, number: int) -> Work:
    """Return the work of adding a function, which a taken name ends."""

    def work(connection: Connection) -> str:
        made, table = function(number, name=name), schema.functions
        connection.execute(insert(table).values(schema.function_row(made)))
        rows.require_free_name(connection, table, table.c.function_id, made, made.function_id)
        return made.function_id

    return work


def in_one_group(writer: GroupCommit, *works: Work) -> list[Future[Any]]:
    """Hand work in, each from a thread of its own, while the writer is busy with another."""
    writing, go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        writing.set()
        go_on.wait()

    with ThreadPoolExecutor(len(works) + 1) as threads:
        held = threads.submit(writer.run, hold)
        writing.wait()
        handed_in: list[Future[Any]] = []
        for work in works:
            handed_in.append(threads.submit(writer.run, work))
            until(lambda: writer._queue.qsize() == len(handed_in), "the work waits")
        go_on.set()
        held.result()
    return handed_in


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT function_id FROM functions ORDER BY 1").fetchall()
    return [row[0] for row in found]


def test_what_one_raises_leaves_the_others_alone(writer: GroupCommit, path: Path) -> None:
    groups: list[Any] = []

    def fail(connection: Connection) -> None:
        add("x", 9)(connection)
        raise ValueError("mine alone")

    def note(connection: Connection) -> None:
        groups.append(connection.exec_driver_sql("SELECT count(*) FROM functions").scalar())

    done = in_one_group(
        writer, add("a", 1), fail, add("a", 2), add("b", 3), add("b", 3), add("c", 4), note
    )
    assert [type(each.exception()) for each in done] == [
        type(None),
        ValueError,
        NameTakenError,
        type(None),
        StoreUnavailableError,
        type(None),
        type(None),
    ]
    assert [each.result() for each in (done[0], done[3], done[5])] == ["f1", "f3", "f4"]
    assert groups == [3]
    assert stored(path) == ["f1", "f3", "f4"]


def test_a_group_is_one_transaction(writer: GroupCommit, path: Path) -> None:
    seen: list[list[str]] = []
    done = in_one_group(writer, add("a", 1), lambda _: seen.append(stored(path)), add("b", 2))
    assert [each.exception() for each in done] == [None, None, None]
    assert seen == [[]]
    assert stored(path) == ["f1", "f2"]


def test_what_was_handed_in_is_finished_before_the_end(
    engine: Engine, path: Path, turns: Path
) -> None:
    writer = GroupCommit(engine, turns)
    writer.run(schema.create)
    begun = threading.Event()

    def slow(connection: Connection) -> str:
        begun.set()
        until(lambda: writer._closed, "the end was asked for")
        return str(add("a", 1)(connection))

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(writer.run, slow)
        begun.wait()
        second = threads.submit(writer.run, add("b", 2))
        until(lambda: writer._queue.qsize() == 1, "the work waits")
        writer.close()
        assert [first.result(), second.result()] == ["f1", "f2"]
    assert stored(path) == ["f1", "f2"]
    with pytest.raises(StoreUnavailableError, match="closed"):
        writer.run(add("c", 3))
    assert stored(path) == ["f1", "f2"]


def test_a_write_waits_for_its_turn_but_not_for_ever(
    writer: GroupCommit, path: Path, turns: Path
) -> None:
    with turns.open("ab") as other, ThreadPoolExecutor(1) as threads:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailableError, match="takes no writes"):
            writer.run(add("a", 1), patience_seconds=0.1)
        patient = threads.submit(writer.run, add("b", 2))
        until(lambda: writer._queue.qsize() == 1, "the work waits")
        assert not patient.done()
        fcntl.flock(other, fcntl.LOCK_UN)
        assert patient.result() == "f2"
    assert stored(path) == ["f2"]


def test_a_program_without_turns_is_waited_for(writer: GroupCommit, path: Path) -> None:
    other = rows.engine(path, "BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as threads:
        with other.begin():
            patient = threads.submit(writer.run, add("a", 1))
            until(lambda: _locked(writer), "the turn is taken")
            assert not patient.done()
        assert patient.result() == "f1"
    other.dispose()
    assert stored(path) == ["f1"]


def _locked(writer: GroupCommit) -> bool:
    """Say whether somebody has the turn."""
    with writer._turns.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_more_than_fits_in_a_group(writer: GroupCommit, path: Path) -> None:
    with ThreadPoolExecutor(300) as threads:
        done = [threads.submit(writer.run, add(f"n{number}", number)) for number in range(600)]
        assert {each.result() for each in done} == {f"f{number}" for number in range(600)}
    assert len(stored(path)) == 600
