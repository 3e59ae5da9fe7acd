"""Ten times what nodes can run: what is finished a second, what accepting and refusing takes, and
how long one request waits behind a tenant with 100,000.

Each event is a container. At the peak, callers wait for what they sent before they send more, a few
more of them than there are slots. Under overload there are as many clients as make ten times that:
each sends an event a second, and one that is refused comes back when ``Retry-After`` says. What was
finished is counted in the store, after the first second.
"""

import heapq
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, quantiles
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.client import Answer, Client, wait
from benchmarks.common import Figure, Values, interleaved, ratio
from pratai_common.clock import now_ms
from pratai_common.records import Request, Status
from pratai_common.store.base import Page, RequestFilter
from pratai_common.store.sqlite import SQLiteStore
from tests import big_tenant
from tests.packages import ECHO
from tests.stack import Stack

_SLOTS = 4
_CALLERS = 4 * _SLOTS
_QUOTA = 40 * _SLOTS
"""A process lets in its share of it a second, which must be more than is finished in one."""

_TIMES = 10
_SENDERS = 48
"""Threads that send what clients have due: as many answers are waited for at once."""

_SECONDS = 10.0
_FIRST_MS = 1000
_SINGLES = 5
_LOOK_SECONDS = 0.05
_CHANGE_SECONDS = 3.0
"""So long after a function was disabled or enabled every daemon knows it."""

_PEAK, _OVER = "finished, at the peak", "finished, at ten times that"
_REFUSED = "refused, at ten times that"


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with _stack({"quota": {"queued_requests": _QUOTA}}) as (stack, store):
        yield from _throughput(stack, store, rounds)
    with _stack({}) as (stack, store):
        yield from _behind_a_tenant(stack, store, rounds)


@contextmanager
def _stack(settings: dict[str, dict[str, object]]) -> Iterator[tuple[Stack, SQLiteStore]]:
    """Give a stack with Docker, and its store."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), {"driver": {"slots": _SLOTS}, **settings}).start()
        store = SQLiteStore(stack.folder / "state" / "store.sqlite")
        try:
            yield stack, store
        finally:
            stack.stop()
            store.close()


# What is finished


def _throughput(stack: Stack, store: SQLiteStore, rounds: int) -> Iterator[Figure]:
    path = f"/v1/functions/{stack.function(ECHO)}"
    peaks: list[float] = []

    def peak() -> Values:
        finished, took = _at_the_peak(stack, store, path)
        peaks.append(finished)
        return {_PEAK: finished, **_of("accepted and waited for, at the peak", took)}

    def over() -> Values:
        clients = max(1, round(_TIMES * mean(peaks)))
        began = now_ms()
        load = _Load(stack.url, path, clients)
        load.run()
        finished = _finished(store, began)
        _drain(store)
        assert load.refused, "nothing was refused: this was no overload"
        return {
            _OVER: finished,
            "offered": (len(load.accepted) + len(load.refused)) / _SECONDS,
            _REFUSED: len(load.refused) / _SECONDS,
            **_of("accepted", load.accepted),
            **_of("refused", load.refused),
        }

    samples = interleaved([peak, over], rounds)
    rates = {name: samples[name] for name in (_PEAK, _OVER, "offered", _REFUSED)}
    yield Figure(
        "overload",
        f"containers, {_SLOTS} slots: finished work under {_TIMES} times what nodes can run",
        "a second",
        rates,
        [ratio(_OVER, _PEAK)],
        [
            f"each value is of {_SECONDS:.0f} s; at most {_QUOTA} requests may wait",
            "whoever was refused (429) came back when Retry-After said; none was refused otherwise",
        ],
    )
    times = {name: values for name, values in samples.items() if name not in rates}
    yield Figure("overload-answers", "how long the API takes to answer", "ms", times)


def _at_the_peak(stack: Stack, store: SQLiteStore, path: str) -> tuple[float, list[float]]:
    """Call for a while; returns what was finished a second, and what each call took, in ms."""
    ends = time.monotonic() + _SECONDS
    took: list[float] = []

    def call() -> None:
        with Client(stack.url) as client:
            while time.monotonic() < ends:
                began = time.perf_counter()
                answer = client.post(f"{path}?wait=60", 1)
                took.append((time.perf_counter() - began) * 1000)
                assert answer.status == 200, answer

    began = now_ms()
    _together([call] * _CALLERS)
    _drain(store)
    return _finished(store, began), took


class _Load:
    """So many clients, each of which sends an event a second or comes back when it is told."""

    def __init__(self, url: str, path: str, clients: int) -> None:
        self._url = url
        self._path = path
        self._lock = threading.Lock()
        began = time.monotonic()
        self._ends = began + _SECONDS
        self._due = [began + number / clients for number in range(clients)]
        self.accepted: list[float] = []
        self.refused: list[float] = []

    def run(self) -> None:
        """Send until the time is over."""
        _together([self._send_what_is_due] * min(_SENDERS, len(self._due)))

    def _send_what_is_due(self) -> None:
        with Client(self._url) as client:
            while (due := self._next()) is not None:
                time.sleep(max(0.0, due - time.monotonic()))
                self._send(client, due)

    def _next(self) -> float | None:
        with self._lock:
            return heapq.heappop(self._due) if self._due and self._due[0] < self._ends else None

    def _send(self, client: Client, due: float) -> None:
        began = time.perf_counter()
        answer: Answer = client.post(self._path, 1)
        took = (time.perf_counter() - began) * 1000
        if answer.status == 202:
            self.accepted.append(took)
            again = due + 1
        else:
            assert answer.status == 429, answer
            assert answer.retry_after is not None, answer
            self.refused.append(took)
            again = time.monotonic() + answer.retry_after
        with self._lock:
            heapq.heappush(self._due, again)


def _finished(store: SQLiteStore, began: int) -> float:
    """Return how many requests a second ended well from the first second on, until the load was
    over. What was let in and waits then is not counted.
    """
    first, last = began + _FIRST_MS, began + int(_SECONDS * 1000)
    page, found = Page(1000), list[Request]()
    while part := store.list_requests(None, RequestFilter(), page):
        found += part
        page = page._replace(marker=part[-1].request_id)
        if part[-1].created_at < began:
            break
    ended = [each for each in found if each.status is Status.SUCCESS]
    within = sum(first <= (each.finished_at or 0) < last for each in ended)
    return within * 1000 / (last - first)


def _drain(store: SQLiteStore) -> None:
    """Wait until nothing is left to do, as long as it becomes less."""
    while left := _left(store):
        _becomes_less(store, left)


def _becomes_less(store: SQLiteStore, left: int) -> None:
    wait(lambda: _left(store) < left, f"of {left} requests one has ended", _LOOK_SECONDS)


def _left(store: SQLiteStore) -> int:
    return store.count_waiting().total + len(store.running_requests(_SLOTS))


def _of(name: str, took: list[float]) -> Values:
    """Return the middle of times, and what one in a hundred takes at least."""
    cuts = quantiles(took, n=100, method="inclusive")
    return {f"{name}, p50": cuts[49], f"{name}, p99": cuts[98]}


def _together(work: list[Callable[[], None]]) -> None:
    """Do all of it at once; raises what the first that failed raised."""
    failures: list[BaseException] = []

    def guarded(each: Callable[[], None]) -> None:
        try:
            each()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# Who waits behind whom


class _Single(NamedTuple):
    waited_ms: float
    passed: float


def _behind_a_tenant(stack: Stack, store: SQLiteStore, rounds: int) -> Iterator[Figure]:
    own = stack.function(ECHO)
    stack.run(own)
    big_tenant.fill(store, own)

    def alone() -> Values:
        _enable(store, False)
        wait(lambda: not store.running_requests(1), "the tenant's have ended", _LOOK_SECONDS)
        return {"alone": mean(_single(stack, store, own).waited_ms for _ in range(_SINGLES))}

    def behind() -> Values:
        _enable(store, True)
        full = f"all {_SLOTS} slots run the tenant's"
        wait(lambda: len(store.running_requests(_SLOTS)) == _SLOTS, full, _LOOK_SECONDS)
        singles = [_single(stack, store, own) for _ in range(_SINGLES)]
        passed.append(mean(each.passed for each in singles))
        return {"behind 100,000 of another": mean(each.waited_ms for each in singles)}

    passed: list[float] = []
    samples = interleaved([alone, behind], rounds)
    yield Figure(
        "overload-waiting",
        "how long a request waits for its run, from acceptance to start",
        "ms",
        samples,
        remarks=[
            f"each value is the mean of {_SINGLES} requests, one after another; {_SLOTS} slots",
            f"executions of the tenant that began meanwhile, means: {passed[1:]}",
            f"of its requests {store.count_waiting().by_project[big_tenant.PROJECT]} still wait",
        ],
    )


def _single(stack: Stack, store: SQLiteStore, function: str) -> _Single:
    """Send one request and wait for its end."""
    with Client(stack.url) as client:
        request_id = client.accepted(f"/v1/functions/{function}", 1)
        client.ended(f"/v1/requests/{request_id}", 1)
    request = store.get_requests([request_id])[request_id]
    assert request.started_at is not None
    return _Single(request.started_at - request.created_at, big_tenant.passed(store, request))


def _enable(store: SQLiteStore, enabled: bool) -> None:
    """Let the tenant's function run, or not."""
    store.change_function(big_tenant.FUNCTION, lambda old: replace(old, enabled=enabled))
    time.sleep(_CHANGE_SECONDS)
