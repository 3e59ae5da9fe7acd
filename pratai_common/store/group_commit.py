"""Many threads' writes in one transaction: what a durable write costs is shared by all of them.

One thread takes whatever work is waiting, does it in one transaction with a savepoint each, and
wakes the waiting threads when the transaction is on disk. While a commit waits for the disk the
next group gathers.

Processes take turns by a lock on a file beside the database: the kernel wakes the next one at once.
SQLite's own way is to look again after a pause, and some process always comes too late.
"""

import fcntl
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pratai_common.errors import StoreUnavailableError

T = TypeVar("T")
MOST_IN_A_GROUP = 256
PATIENCE_SECONDS = 30.0
"""How long a write may wait for its turn and for the disk; then its caller is told."""


class _Work:
    def __init__(self, do: Callable[[Connection], Any]) -> None:
        self.do = do
        self.done: Future[Any] = Future()


class _Outcome(NamedTuple):
    work: _Work
    result: Any = None
    failure: BaseException | None = None

    def tell(self) -> None:
        if self.failure is None:
            self.work.done.set_result(self.result)
        else:
            self.work.done.set_exception(self.failure)


class GroupCommit:
    """The one writer of a database in this process; ``turns`` is the file to lock."""

    def __init__(self, engine: Engine, turns: Path) -> None:
        self._engine = engine
        self._turns = turns
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
        work = _Work(do)
        with self._closing:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            self._queue.put(work)
        try:
            work.done.exception(patience_seconds)
        except TimeoutError:
            work.done.cancel()  # so it is not done any more, unless it has begun
            raise StoreUnavailableError("the database takes no writes") from None
        result: T = work.done.result()
        return result

    def close(self) -> None:
        """Finish what was handed in, then end the thread."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join(PATIENCE_SECONDS)

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            with self._turn():
                group, last = self._gather(first)
                outcomes = self._commit(group)
            for outcome in outcomes:
                outcome.tell()
            if last:
                return

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other process writes. Where that fails, SQLite's own locks must do."""
        with ExitStack() as held:
            with suppress(OSError):
                file = held.enter_context(self._turns.open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

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
        return [work for work in group if work.done.set_running_or_notify_cancel()], last

    def _commit(self, group: list[_Work]) -> list[_Outcome]:
        try:
            with self._engine.begin() as connection:
                return [_attempt(connection, work) for work in group]
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever happens
            failure = _told(error)
            return [_Outcome(work, failure=failure) for work in group]


def _attempt(connection: Connection, work: _Work) -> _Outcome:
    """Do one piece of work in a savepoint, so that its failure leaves the others alone.

    Where SQLite answers a failure by undoing the whole transaction (a full disk, say), there is
    nothing left to commit, and the whole group fails.
    """
    savepoint = connection.begin_nested()
    try:
        result = work.do(connection)
    except Exception as error:
        if not _in_transaction(connection):
            raise
        savepoint.rollback()
        return _Outcome(work, failure=_told(error))
    savepoint.commit()
    return _Outcome(work, result)


def _in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)


def _told(error: Exception) -> Exception:
    """Return what the caller is told: nothing of the library behind the store."""
    return StoreUnavailableError(str(error.orig)) if isinstance(error, DBAPIError) else error
