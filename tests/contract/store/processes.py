"""Several processes at one store."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from pratai_common.store.base import Store
from tests.contract.store.kinds import Kind

T = TypeVar("T")
Work = Callable[[Store, int], T]
SPAWN = multiprocessing.get_context("spawn")
PROCESSES = 3
THREADS = 4
_LONGEST_START = 120


def together(kind: Kind, work: Work[T]) -> list[T]:
    """Do work in threads of several processes from one moment on; returns what all return.

    Each gets the store that its process has opened, and a number of its own. Of a store that lives
    in this process, all are threads of it.
    """
    if not kind.durable:
        return _in_threads(kind, work)
    start = SPAWN.Barrier(PROCESSES)
    running = []
    for number in range(PROCESSES):
        here, there = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=_serve, args=(kind, work, number, start, there))
        process.start()
        there.close()
        running.append((process, here))
    told = [_told(here) for _, here in running]
    for process, here in running:
        here.close()
        process.join()
    codes = [process.exitcode for process, _ in running]
    assert codes == [0] * PROCESSES, f"the processes ended with {codes}"
    return [result for results in told for result in results]


def _told(here: Connection) -> list[Any]:
    """Return what a process tells: nothing where it has ended without, of which its code tells."""
    with suppress(EOFError):
        results: list[Any] = here.recv()
        return results
    return []


def _in_threads(kind: Kind, work: Work[T]) -> list[T]:
    stores = [kind.open() for _ in range(PROCESSES)]
    start = threading.Barrier(PROCESSES * THREADS)

    def do(number: int) -> T:
        start.wait(_LONGEST_START)
        return work(stores[number // THREADS], number)

    with ThreadPoolExecutor(PROCESSES * THREADS) as threads:
        return list(threads.map(do, range(PROCESSES * THREADS)))


def _serve(kind: Kind, work: Work[Any], number: int, start: Any, told: Connection) -> None:
    with closing(kind.open()) as store, ThreadPoolExecutor(THREADS) as threads:
        start.wait(_LONGEST_START)
        numbers = [number * THREADS + each for each in range(THREADS)]
        told.send(list(threads.map(lambda each: work(store, each), numbers)))
