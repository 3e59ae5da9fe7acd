"""Many threads' writes in one transaction: what a durable write costs is shared by all of them.

One thread takes whatever work is waiting, does it in one transaction with a savepoint each, and
wakes the waiting threads when the transaction is on disk. While a commit waits for the disk the
next group gathers.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pratai_common.errors import StoreUnavailableError

T = TypeVar("T")
MOST_IN_A_GROUP = 256


class _Work:
    def __init__(self, do: Callable[[Connection], Any]) -> None:
        self.do = do
        self.done: Future[Any] = Future()


class GroupCommit:
    """The one writer of a database in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def run(self, do: Callable[[Connection], T]) -> T:
        """Do work in a transaction; returns when it is durable. What it raises, this raises."""
        work = _Work(do)
        self._queue.put(work)
        result: T = work.done.result()
        return result

    def close(self) -> None:
        """Finish what was handed in, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = self._gather(first)
            self._commit(group)
            if last:
                return

    def _gather(self, first: _Work) -> tuple[list[_Work], bool]:
        group = [first]
        while len(group) < MOST_IN_A_GROUP:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return group, True
            group.append(work)
        return group, False

    def _commit(self, group: list[_Work]) -> None:
        outcomes: list[tuple[_Work, Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                outcomes = [_attempt(connection, work) for work in group]
        except DBAPIError as error:
            unavailable = StoreUnavailableError(str(error.orig))
            outcomes = [(work, None, unavailable) for work in group]
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever happens
            outcomes = [(work, None, error) for work in group]
        for work, result, failure in outcomes:
            if failure is None:
                work.done.set_result(result)
            else:
                work.done.set_exception(failure)


def _attempt(connection: Connection, work: _Work) -> tuple[_Work, Any, BaseException | None]:
    """Do one piece of work in a savepoint, so that its failure leaves the others alone."""
    try:
        with connection.begin_nested():
            return work, work.do(connection), None
    except DBAPIError as error:
        return work, None, StoreUnavailableError(str(error.orig))
    except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
        return work, None, error
