"""Those who wait for answers read them for one another, and nobody is forgotten."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import zmq

from pratai_api.replies import Replies
from pratai_common import peers
from pratai_common.channels import Context, Outlets
from pratai_common.messages import Answer
from tests.waiting import until


class World:
    """An inlet, those who wait at it in threads of their own, and who answers."""

    def __init__(self, threads: ThreadPoolExecutor, replies: Replies, outlets: Outlets) -> None:
        self.threads = threads
        self.replies = replies
        self.outlets = outlets

    def wait(self, request_id: str, seconds: float = 60) -> "Future[Answer | None]":
        expected = threading.Event()

        def call() -> Answer | None:
            with self.replies.expect(request_id) as waiter:
                expected.set()
                return waiter.wait(seconds)

        called = self.threads.submit(call)
        assert expected.wait(30)
        return called

    def answer(self, request_id: str, message: str = "m") -> Answer:
        answer = Answer(request_id=request_id, message=message)
        assert self.outlets.send(peers.api(self.replies.address), answer)
        return answer


@pytest.fixture
def world() -> Iterator[World]:
    context: Context = zmq.Context()
    with ExitStack() as exits:
        exits.callback(context.term)
        threads = exits.enter_context(ThreadPoolExecutor(16))
        replies = Replies(context, "tcp://127.0.0.1:*")
        exits.callback(replies.close)
        outlets = Outlets(context)
        exits.callback(outlets.close)
        yield World(threads, replies, outlets)


def test_each_gets_its_own_in_any_order(world: World) -> None:
    waits = {f"r{number}": world.wait(f"r{number}") for number in range(12)}
    for name in reversed(waits):
        answer = world.answer(name)
        assert waits[name].result(30) == answer


def test_who_reads_may_leave_first(world: World) -> None:
    first, second, third = (world.wait(name) for name in "abc")
    until(world.replies._reading.locked, "one of them reads")
    for name, waiting in (("a", first), ("b", second), ("c", third)):
        answer = world.answer(name)
        assert waiting.result(30) == answer
    assert not world.replies._reading.locked()


def test_who_waits_in_vain_hands_on(world: World) -> None:
    first = world.wait("a", 0.2)
    until(world.replies._reading.locked, "it reads")
    second = world.wait("b")
    assert first.result(30) is None
    until(world.replies._reading.locked, "the other one reads")
    answer = world.answer("b")
    assert second.result(30) == answer


def test_two_may_wait_for_the_same(world: World) -> None:
    waits = [world.wait("a"), world.wait("a")]
    answer = world.answer("a")
    assert [each.result(30) for each in waits] == [answer, answer]


def test_one_that_came_before_the_wait_is_there(world: World) -> None:
    with world.replies.expect("a") as waiter:
        other = world.wait("b")
        answer = world.answer("a")
        assert other.running()
        world.answer("b")
        assert other.result(30) is not None
        assert waiter.wait(30) == answer
        world.answer("a", "another")
        assert waiter.wait(0) == answer


def test_what_nobody_waits_for_is_nobodys(world: World) -> None:
    world.answer("unknown")
    waiting = world.wait("a")
    answer = world.answer("a")
    assert waiting.result(30) == answer
    assert world.replies.dropped == 0


def test_the_end_of_the_process_ends_all_waits(world: World) -> None:
    waits = [world.wait(name) for name in "abc"]
    until(world.replies._reading.locked, "one of them reads")
    world.replies.close()
    assert [each.result(30) for each in waits] == [None] * 3


def test_one_who_fails_at_reading_hands_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.wait("a")
    until(world.replies._reading.locked, "it reads")
    second = world.wait("b")
    receive, failures = world.replies._inbox.receive, [ValueError("a fault")]

    def fail_once(timeout_ms: int, most: int) -> list[Answer]:
        if failures:
            raise failures.pop()
        return receive(timeout_ms, most)

    monkeypatch.setattr(world.replies._inbox, "receive", fail_once)
    world.replies._inlet.wake()
    with pytest.raises(ValueError, match="a fault"):
        first.result(30)
    until(world.replies._reading.locked, "the other one reads")
    answer = world.answer("b")
    assert second.result(30) == answer
