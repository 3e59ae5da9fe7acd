"""How often an endpoint may be called, by one process and by several."""

import itertools
import math

import pytest

from pratai_api.rates import Processes, Rates, take
from pratai_common.errors import StoreUnavailableError


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def rates(number: int = 1) -> tuple[Rates, Time]:
    time = Time()
    return Rates(lambda: number, time), time


def admitted(buckets: Rates, rate: int, calls: int = 200) -> int:
    return sum(buckets.wait_for("f", rate) == 0 for _ in range(calls))


def test_a_minutes_calls_at_once_and_then_one_by_one() -> None:
    buckets, time = rates()
    assert admitted(buckets, 6) == 6
    assert buckets.wait_for("f", 6) == 10
    time.now += 9
    assert buckets.wait_for("f", 6) == 1
    time.now += 1
    assert admitted(buckets, 6) == 1
    time.now += 3600
    assert admitted(buckets, 6) == 6


def test_functions_have_buckets_of_their_own() -> None:
    buckets, _ = rates()
    assert [buckets.wait_for(name, 1) for name in ("f", "g", "f", "g")] == [0, 0, 60, 60]


@pytest.mark.parametrize(("rate", "number"), [(1, 1), (7, 1), (60, 3), (1, 3), (6_000, 8)])
def test_whoever_comes_back_when_he_is_told_is_let_in(rate: int, number: int) -> None:
    buckets, time = rates(number)
    admitted(buckets, rate, rate + 1)
    for _ in range(50):
        while (seconds := buckets.wait_for("f", rate)) == 0:
            pass
        assert 1 <= seconds <= math.ceil(60 * number / rate)
        time.now += seconds
        assert buckets.wait_for("f", rate) == 0


@pytest.mark.parametrize(("rate", "number"), [(1, 3), (5, 3), (60, 3), (90, 2), (60, 1)])
def test_the_bounds_that_are_documented(rate: int, number: int) -> None:
    """Everybody asks all the time, at all processes: so many are let in, within so many minutes."""
    processes = [rates(number) for _ in range(number)]
    total = 0
    for minutes in range(1, 6):
        for _ in range(60 * 4):
            for buckets, time in processes:
                while buckets.wait_for("f", rate) == 0:
                    total += 1
                time.now += 0.25
        least, most = minutes * rate, (minutes + 1) * rate + number
        assert least - number <= total <= most, minutes


def test_a_changed_rate_and_number_count_at_once() -> None:
    number = itertools.chain([1] * 61, itertools.repeat(3))
    time = Time()
    buckets = Rates(lambda: next(number), time)
    assert admitted(buckets, 60, 61) == 60
    time.now += 60
    assert admitted(buckets, 60) == 20
    time.now += 60
    assert admitted(buckets, 30) == 10


def test_a_bucket_is_never_more_than_full() -> None:
    bucket, seconds = take(None, 3, 0)
    assert (bucket.calls, seconds) == (2, 0)
    bucket, seconds = take(bucket, 3, 10**6)
    assert (bucket.calls, seconds) == (2, 0)


def test_buckets_that_nobody_asks_for_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pratai_api.rates._MOST_BUCKETS", 2)
    buckets, _ = rates()
    assert [buckets.wait_for(name, 1) for name in ("a", "b", "a", "c", "a", "b")] == [
        0, 0, 60, 0, 60, 0,
    ]  # fmt: skip


def test_the_processes_are_counted_every_few_seconds() -> None:
    time, found = Time(), iter([0, 2, 3])
    processes = Processes(lambda: next(found), time)
    counted = []
    for _ in range(3):
        counted += [processes(), processes()]
        time.now += 5
    assert counted == [1, 1, 2, 2, 3, 3]


def test_while_the_store_is_away_the_last_number_counts() -> None:
    time, away = Time(), False

    def count() -> int:
        if away:
            raise StoreUnavailableError("away")
        return 2

    processes = Processes(count, time)
    assert processes() == 2
    time.now, away = time.now + 5, True
    assert processes() == 2
