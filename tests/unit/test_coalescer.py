"""Many threads' calls in one: who gets what, and that nobody waits for ever."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from pratai_common.errors import StoreUnavailableError
from pratai_common.store.coalescer import Coalescer
from tests.waiting import until


class Work:
    """Doubles numbers, and holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Semaphore(0)

    def __call__(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        self.gate.acquire()
        return [ValueError(f"{each}") if each < 0 else 2 * each for each in items]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def waiting(coalescer: Coalescer[int, int]) -> int:
    return len(coalescer._waiting)


def handed_in(
    threads: ThreadPoolExecutor, coalescer: Coalescer[int, int], *works: Sequence[int]
) -> list[Future[list[int]]]:
    """Hand in works one after the other, so that their order is known."""
    futures = []
    for number, items in enumerate(works, start=1):
        futures.append(threads.submit(coalescer.run, items))
        until(lambda number=number: waiting(coalescer) == number, "it waits")
    return futures


def busy(
    threads: ThreadPoolExecutor, coalescer: Coalescer[int, int], work: Work
) -> list[Future[list[int]]]:
    """Keep both lanes busy, with one batch each."""
    futures = []
    for number in (1, 2):
        futures.append(threads.submit(coalescer.run, [number]))
        until(lambda number=number: len(work.batches) == number, "it is under way")
    return futures


def test_who_is_alone_waits_for_nobody() -> None:
    work = Work()
    work.gate.release()
    assert Coalescer[int, int](work, 10).run([1, 2]) == [2, 4]
    assert work.batches == [[1, 2]]


def test_what_comes_while_the_lanes_are_busy_goes_together(threads: ThreadPoolExecutor) -> None:
    work = Work()
    coalescer: Coalescer[int, int] = Coalescer(work, 10)
    first = busy(threads, coalescer, work)
    later = handed_in(threads, coalescer, [3], [4, 5], [6])
    assert work.batches == [[1], [2]]
    work.gate.release(9)
    assert [each.result() for each in first] == [[2], [4]]
    assert [each.result() for each in later] == [[6], [8, 10], [12]]
    assert work.batches == [[1], [2], [3, 4, 5, 6]]


def test_a_batch_takes_no_more_than_fits_and_never_half_of_a_call(
    threads: ThreadPoolExecutor,
) -> None:
    work = Work()
    coalescer: Coalescer[int, int] = Coalescer(work, 3)
    busy(threads, coalescer, work)
    later = handed_in(threads, coalescer, [3, 4], [5, 6], [7], [0] * 5)
    work.gate.release(9)
    assert [len(each.result()) for each in later] == [2, 2, 1, 5]
    assert sorted(work.batches[2:]) == [[0] * 5, [3, 4], [5, 6, 7]]


def test_a_failure_is_told_to_the_one_whose_it_is(threads: ThreadPoolExecutor) -> None:
    work = Work()
    coalescer: Coalescer[int, int] = Coalescer(work, 10)
    busy(threads, coalescer, work)
    good, bad = handed_in(threads, coalescer, [3], [4, -1])
    work.gate.release(9)
    assert good.result() == [6]
    with pytest.raises(ValueError, match="-1"):
        bad.result()


def test_what_the_call_raises_all_of_its_batch_get(threads: ThreadPoolExecutor) -> None:
    begun, gate = threading.Semaphore(0), threading.Semaphore(0)

    def fail(items: list[int]) -> list[int | Exception]:
        begun.release()
        gate.acquire()
        raise StoreUnavailableError(f"{len(items)}")

    coalescer: Coalescer[int, int] = Coalescer(fail, 10, lanes=1)
    first = threads.submit(coalescer.run, [1])
    begun.acquire()
    later = handed_in(threads, coalescer, [2], [3])
    gate.release(2)
    for future, together in ((first, "1"), (later[0], "2"), (later[1], "2")):
        with pytest.raises(StoreUnavailableError, match=together):
            future.result()
    gate.release()
    with pytest.raises(StoreUnavailableError, match="1"):
        coalescer.run([4])


def test_an_interrupted_leader_leaves_the_lane_to_others(threads: ThreadPoolExecutor) -> None:
    begun, gate = threading.Semaphore(0), threading.Semaphore(0)

    def interrupted(items: list[int]) -> list[int | Exception]:
        begun.release()
        gate.acquire()
        if items == [1]:
            raise SystemExit
        return list(items)

    coalescer: Coalescer[int, int] = Coalescer(interrupted, 1, lanes=1)
    first = threads.submit(coalescer.run, [1])
    begun.acquire()
    later = handed_in(threads, coalescer, [2], [3])
    gate.release(9)
    with pytest.raises(SystemExit):
        first.result()
    assert [each.result() for each in later] == [[2], [3]]


def test_nobody_is_forgotten_and_no_lane_lost() -> None:
    batches: list[int] = []

    def double(items: list[int]) -> list[int | Exception]:
        batches.append(len(items))
        return [2 * each for each in items]

    coalescer: Coalescer[int, int] = Coalescer(double, 8)

    def many(start: int) -> bool:
        return all(coalescer.run([each]) == [2 * each] for each in range(start, start + 500))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(many, range(0, 16_000, 1000)))
    assert sum(batches) == 16 * 500
    assert coalescer._free == 2
