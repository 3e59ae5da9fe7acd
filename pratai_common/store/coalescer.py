"""Many threads' calls in one: what a round trip costs is shared by all who wait for one.

There is no thread behind it. A caller that finds a lane free takes what waits, does it for all, and
hands the lane to one of those who came meanwhile. So a caller that is alone waits for nobody, and
the next batch gathers while others are under way.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pratai_common.errors import StoreUnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Work(Generic[Item, Result]):
    """One caller's items. It is woken when they are done, and when it is to lead."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.results: Sequence[Result | Exception] | None = None
        self.leads = False
        self.woken = threading.Semaphore(0)


class Coalescer(Generic[Item, Result]):
    """Does items in batches of about ``most``, on several ``lanes`` at a time.

    ``do`` returns a result or a failure for each item, in their order. What it raises, all whose
    items are in the batch get.
    """

    def __init__(
        self, do: Callable[[list[Item]], Sequence[Result | Exception]], most: int, lanes: int = 2
    ) -> None:
        self._do = do
        self._most = most
        self._lock = threading.Lock()
        self._free = lanes
        self._waiting: deque[_Work[Item, Result]] = deque()

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Return the items' results; raises the first failure among them."""
        work: _Work[Item, Result] = _Work(items)
        with self._lock:
            self._waiting.append(work)
            work.leads = self._free > 0
            self._free -= work.leads
        while work.results is None or work.leads:  # in this order: it is made the leader first
            if work.leads:
                self._lead(work)
            else:
                work.woken.acquire()
        results = []
        for each in work.results:
            if isinstance(each, Exception):
                raise each
            results.append(each)
        return results

    def _lead(self, leader: _Work[Item, Result]) -> None:
        """Do one batch, in which the leader's own items may be, and hand the lane on.

        A leader whose items another lane has done meanwhile does no more.
        """
        batch = self._take() if leader.results is None else []
        try:
            self._perform(batch)
        finally:
            with self._lock:
                leader.leads = False
                follower = next((work for work in self._waiting if not work.leads), None)
                if follower is None:
                    self._free += 1
                else:
                    follower.leads = True
                    batch.append(follower)
            for work in batch:
                work.woken.release()

    def _take(self) -> list[_Work[Item, Result]]:
        """Return what waits, but no more than fits: at least one."""
        batch: list[_Work[Item, Result]] = []
        size = 0
        with self._lock:
            while self._waiting and (not batch or size + len(self._waiting[0].items) <= self._most):
                batch.append(self._waiting.popleft())
                size += len(batch[-1].items)
        return batch

    def _perform(self, batch: list[_Work[Item, Result]]) -> None:
        items = [item for work in batch for item in work.items]
        results: Sequence[Result | Exception] = [
            StoreUnavailableError("the thread that did it was interrupted") for _ in items
        ]
        try:
            results = self._do(items) if items else []
        except Exception as error:  # noqa: BLE001 - each caller gets it
            results = [error for _ in items]
        finally:
            start = 0
            for work in batch:
                work.results = results[start : start + len(work.items)]
                start += len(work.items)
