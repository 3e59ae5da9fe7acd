"""Many threads' writes in one transaction: what a durable write costs is shared by all of them.

One thread takes whatever work is waiting, does it in one transaction, and wakes the waiting threads
when the transaction is on disk. While a commit waits for the disk the next group gathers. Where
anything of a group fails, the group is done again with a savepoint for each piece of work, so that
only what failed is left out: savepoints cost half as much again, and failures are rare.

Processes take turns by a lock on a file beside the database: the kernel wakes the next one at once.
SQLite's own way is to look again after a pause, and some process always comes too late.
"""

import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pratai_common.errors import StoreUnavailableError

Item = TypeVar("Item")
T = TypeVar("T")
_Do = Callable[[Connection, list[Any]], Sequence[Any]]
MOST_IN_A_GROUP = 256
PATIENCE_SECONDS = 30.0
"""How long a write may wait for its turn and for the disk; then its caller is told."""


class _Work:
    """What one thread wants written. It waits; the writer's thread tells it what became of it."""

    def __init__(self, do: _Do, items: Sequence[Any]) -> None:
        self.do = do
        self.items = items
        self.wanted = True
        self._result: Any = None
        self._failure: BaseException | None = None
        self._told = threading.Lock()
        self._told.acquire()

    def tell(self, result: Any = None, failure: BaseException | None = None) -> None:
        """Say what became of it, once."""
        self._result, self._failure = result, failure
        self._told.release()

    def wait(self, seconds: float | None) -> Any:
        """Return what it gave, or raise what it raised; raises TimeoutError where none is told."""
        if not self._told.acquire(timeout=-1 if seconds is None else seconds):
            self.wanted = False  # so it is not done any more, unless it has begun
            raise TimeoutError
        if self._failure is not None:
            raise self._failure
        return self._result


class _Outcome(NamedTuple):
    work: _Work
    result: Any = None
    failure: BaseException | None = None

    def tell(self) -> None:
        self.work.tell(self.result, self.failure)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection behind SQLAlchemy's."""
    driver: Any = connection.connection.driver_connection
    own: sqlite3.Connection = driver
    return own


class GroupCommit:
    """The one writer of a database in this process; ``turns`` is the file to lock."""

    def __init__(self, engine: Engine, turns: Path) -> None:
        self._engine = engine
        self._turns = turns
        self._open_turns: BinaryIO | None = None
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def run(
        self, do: Callable[[Connection], T], patience_seconds: float | None = PATIENCE_SECONDS
    ) -> T:
        """Do work in a transaction; returns when it is durable. What it raises, this raises.

        Raises StoreUnavailableError where the database does not take it, or not in time.
        """
        result: T = self._run(_Work(_do_each, [do]), patience_seconds)[0]
        return result

    def run_alike(
        self, do: Callable[[Connection, list[Item]], Sequence[T]], items: Sequence[Item]
    ) -> list[T]:
        """As ``run``, for work of which much is done at once: what several threads want done by
        the same function, it does in one call. Returns what it gave for each item, in order.
        """
        results: list[T] = self._run(_Work(do, items), PATIENCE_SECONDS)
        return results

    def _run(self, work: _Work, patience_seconds: float | None) -> Any:
        with self._closing:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            self._queue.put(work)
        try:
            return work.wait(patience_seconds)
        except TimeoutError:
            raise StoreUnavailableError("the database takes no writes") from None

    def close(self) -> None:
        """Finish what was handed in, then end the thread."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join(PATIENCE_SECONDS)

    def _serve(self) -> None:
        last = False
        while not last and (first := self._queue.get()) is not None:
            with self._turn():
                group, last = self._gather(first)
                outcomes = self._commit(group)
            for outcome in outcomes:
                outcome.tell()
        self._close_turns()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other process writes. Where that fails, SQLite's own locks must do."""
        file = None
        with suppress(OSError):
            file = self._file_of_turns()
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if file is not None:
                fcntl.flock(file, fcntl.LOCK_UN)

    def _file_of_turns(self) -> BinaryIO:
        """Return the file to lock, opened anew where somebody has removed it."""
        if self._open_turns is not None and os.fstat(self._open_turns.fileno()).st_nlink:
            return self._open_turns
        self._close_turns()
        self._open_turns = self._turns.open("ab")
        return self._open_turns

    def _close_turns(self) -> None:
        if self._open_turns is not None:
            self._open_turns.close()
            self._open_turns = None

    def _gather(self, first: _Work) -> tuple[list[_Work], bool]:
        """Return the work that waits and is still wanted, and whether it is the last."""
        group, last = [first], False
        while len(group) < MOST_IN_A_GROUP and not last:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                last = True
            else:
                group.append(work)
        return [work for work in group if work.wanted], last

    def _commit(self, group: list[_Work]) -> list[_Outcome]:
        try:
            with self._engine.begin() as connection:
                outcomes = _together(connection, group)
            if outcomes is None:
                with self._engine.begin() as connection:
                    outcomes = [_attempt(connection, work) for work in group]
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever happens
            failure = told(error)
            return [_Outcome(work, failure=failure) for work in group]
        return outcomes


def _together(connection: Connection, group: list[_Work]) -> list[_Outcome] | None:
    """Do all of the work; where anything fails, undo it and return ``None``."""
    outcomes: list[_Outcome] = []
    try:
        for do, alike in groupby(group, key=attrgetter("do")):
            works = list(alike)
            results = iter(do(connection, [item for work in works for item in work.items]))
            outcomes += [_Outcome(work, list(islice(results, len(work.items)))) for work in works]
        return outcomes
    except Exception:  # noqa: BLE001 - what fails again is told then
        driver_of(connection).rollback()
        return None


def _do_each(connection: Connection, pieces: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    return [do(connection) for do in pieces]


def _attempt(connection: Connection, work: _Work) -> _Outcome:
    """Do one piece of work in a savepoint.

    Where SQLite answers a failure by undoing the whole transaction (a full disk, say), there is
    nothing left to commit, and the whole group fails.
    """
    driver = driver_of(connection)
    driver.execute("SAVEPOINT work")
    try:
        result = list(work.do(connection, list(work.items)))
    except Exception as error:
        if not driver.in_transaction:
            raise
        driver.execute("ROLLBACK TO work")
        driver.execute("RELEASE work")
        return _Outcome(work, failure=told(error))
    driver.execute("RELEASE work")
    return _Outcome(work, result)


def told(error: Exception) -> Exception:
    """Return what the caller is told: nothing of the library behind the store."""
    if isinstance(error, DBAPIError):
        return StoreUnavailableError(str(error.orig))
    return StoreUnavailableError(str(error)) if isinstance(error, sqlite3.Error) else error
