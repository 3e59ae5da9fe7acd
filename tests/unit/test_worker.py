"""Gunicorn's worker: a thread stays with its connection for a moment, unless few are left."""

import socket
import threading
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import ThreadWorker

from pratai_api.worker import ApiWorker
from tests.waiting import until


class Connection:
    """What gunicorn knows of a connection, as far as it matters."""

    def __init__(self) -> None:
        self.sock, self.client = socket.socketpair()
        self.parser = SimpleNamespace(unreader=SimpleNamespace(buf=BytesIO()))

    def close(self) -> None:
        self.sock.close()
        self.client.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection()
    yield made
    made.close()


class Worker(ApiWorker):
    """A worker of two threads, of which one may stay; it keeps what it has handled."""

    def __init__(self) -> None:
        config = Config()
        config.set("threads", 2)
        super().__init__(1, 1, [], SimpleNamespace(), 30, config, SimpleNamespace())
        self.handled: list[bytes] = []


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A request is a byte, and "." is a connection's last."""

    def handle(worker: Worker, conn: Any) -> bool:
        worker.handled.append(conn.sock.recv(1))
        return worker.handled[-1] != b"."

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    made = Worker()
    yield made
    made.tmp.close()


def test_what_comes_at_once_is_handled_at_once(worker: Worker, connection: Connection) -> None:
    connection.client.sendall(b"ab.")
    assert worker.handle(connection) is False
    assert worker.handled == [b"a", b"b", b"."]


def test_a_connection_that_is_quiet_is_given_back(worker: Worker, connection: Connection) -> None:
    connection.client.sendall(b"a")
    assert worker.handle(connection) is True
    assert worker.handled == [b"a"]


def test_what_was_read_ahead_is_not_waited_for(worker: Worker, connection: Connection) -> None:
    connection.client.sendall(b"ab")
    connection.parser.unreader.buf = BytesIO(b"more")
    assert worker.handle(connection) is True
    assert worker.handled == [b"a"]


def test_a_worker_that_ends_gives_back_all(worker: Worker, connection: Connection) -> None:
    connection.client.sendall(b"ab")
    worker.alive = False
    assert worker.handle(connection) is True
    assert worker.handled == [b"a"]


def test_half_of_the_threads_stay_with_none(worker: Worker, connection: Connection) -> None:
    """Others may be waited for longer than these take."""
    busy = Connection()
    thread = threading.Thread(target=worker.handle, args=[busy])
    thread.start()
    until(lambda: not worker._room._value, "a thread is busy")
    connection.client.sendall(b"ab")
    assert worker.handle(connection) is True
    assert worker.handled == [b"a"]
    busy.client.sendall(b".")
    thread.join(30)
    assert worker.handled == [b"a", b"."]
    assert worker.handle(connection) is True
    assert worker.handled == [b"a", b".", b"b"]
    busy.close()
