"""What was acknowledged survives kill -9, and those who are left go on.

Asked of what outlives a process: the store of the simulations is in its own.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import pytest

from pratai_common.records import Status
from pratai_common.store.base import NewRequest, RequestChange, Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.kinds import DURABLE, Kind
from tests.contract.store.processes import SPAWN
from tests.contract.store.records import body, chunk, daemon, event, settled, subscription, version
from tests.records import function, request

pytestmark = pytest.mark.parametrize("kind_of_store", DURABLE, indirect=True)
BATCH = 5
LONGEST_WAIT = 120


def names(writer: str, round_: int) -> list[str]:
    return [f"{writer}-{round_}-{each}" for each in range(BATCH)]


def _write(kind: Kind, writer: str, told: Connection) -> None:
    """Write one of everything again and again, and tell each round that is done."""
    store = kind.open()
    for round_ in itertools.count():
        name = f"{writer}-{round_}"
        store.create_requests(
            [
                NewRequest(request(request_id=each), body(each.encode()))
                for each in names(writer, round_)
            ]
        )
        store.change_requests(
            [
                RequestChange(each, settled(result=each.encode()))
                for each in names(writer, round_)[1:]
            ]
        )
        store.create_function(function(function_id=name, name=name, endpoint_token=name))
        store.create_version(version(function_id=name))
        store.create_subscription(subscription(subscription_id=name, function_id=name))
        store.create_event(event(event_id=name, name=name))
        store.put_mark(name, round_)
        store.add_log_chunks([chunk(request_id=name)])
        store.put_daemon(daemon(name))
        store.acquire_lease(name, "a", 1000, 100)
        told.send(round_)


class Writer:
    """A process that writes until it is killed."""

    def __init__(self, kind: Kind, name: str) -> None:
        self.name = name
        self._here, there = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(target=_write, args=(kind, name, there))
        self._process.start()
        there.close()
        self.rounds = 0

    def wait_for(self, rounds: int) -> None:
        """Wait until so many more rounds were acknowledged."""
        for _ in range(rounds):
            assert self._here.poll(LONGEST_WAIT), f"{self.name} writes no more"
            self.rounds = self._here.recv() + 1

    def kill(self) -> None:
        """Kill -9 in the midst of whatever is being written, and hear what was told before."""
        self._process.kill()
        self._process.join()
        with suppress(EOFError, OSError):
            while True:
                self.rounds = self._here.recv() + 1
        self._here.close()


@contextmanager
def writing(kind: Kind, *names_: str) -> Iterator[list[Writer]]:
    writers = [Writer(kind, name) for name in names_]
    try:
        yield writers
    finally:
        for each in writers:
            each.kill()


def assert_round_is_there(store: Store, writer: str, round_: int) -> None:
    name, requests = f"{writer}-{round_}", names(writer, round_)
    stored = store.get_requests(requests)
    assert [stored[each].status for each in requests] == [Status.QUEUED] + [Status.SUCCESS] * 4
    assert [store.get_input(each) for each in requests] == [
        body(each.encode()) for each in requests
    ]
    assert store.get_result(requests[0]) is None
    for each in requests[1:]:
        assert store.get_result(each) == body(each.encode())
    assert store.get_functions([name]) == {name: store.function_of_endpoint(name)}
    assert store.list_versions(name) == [version(function_id=name)]
    assert len(store.subscriptions_of(name)) == 1
    assert store.get_events([name]) == {name: event(event_id=name, name=name)}
    assert store.get_mark(name) == round_
    assert store.acquire_lease(name, "b", 1000, 100) is None


def test_what_was_written_survives_kill_9(kind: Kind, open_store: Open, shows: Shows) -> None:
    with writing(kind, "a", "b") as (first, second):
        first.wait_for(10)
        second.wait_for(1)
        first.kill()
        second.wait_for(10)
        second.kill()
        store = open_store()
        for writer in (first, second):
            for round_ in range(writer.rounds):
                assert_round_is_there(store, writer.name, round_)
        done = {
            f"{each.name}-{number}" for each in (first, second) for number in range(each.rounds)
        }
        shows(lambda: done <= {each.daemon_id for each in store.list_daemons()}, True)
        shows(lambda: all(store.log_chunks(each) for each in done), True)


def test_no_request_is_readable_without_what_came_in(kind: Kind, open_store: Open) -> None:
    with writing(kind, "a") as (writer,):
        writer.wait_for(3)
        writer.kill()
        store = open_store()
        asked = [each for number in range(writer.rounds + 2) for each in names("a", number)]
        found = store.get_requests(asked)
        assert len(found) >= 3 * BATCH
        for each, stored in found.items():
            assert store.get_input(each) == body(each.encode())
            ended = stored.status is Status.SUCCESS
            assert store.get_result(each) == (body(each.encode()) if ended else None)
