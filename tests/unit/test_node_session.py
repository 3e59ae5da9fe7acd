"""The node's end of a run, on real sockets and pipes; the test is the runner."""

import os
import queue
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_common import limits
from pratai_common.records import ResponseHead
from pratai_drivers.conversation import Conversation
from pratai_drivers.engines.base import OWN_FILES, Container, Exit
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import load_message
from pratai_drivers.session import Ending, Session
from pratai_drivers.warm import Warm
from tests.unit.node_world import FIT
from tests.waiting import until

LOAD = load_message("container", {}, OWN_FILES)
NEXT = b'{"op": "next", "size": 0}\n'
ANSWER = b'{"op": "response", "size": 1}\n7'


class Living(Container):
    """A container whose process lives as long as anybody looks."""

    def wait(self, seconds: float) -> Exit | None:
        return None

    def peak_memory(self) -> int | None:
        return None

    def cpu_seconds(self) -> float | None:
        return None

    def out_of_memory(self) -> bool:
        return False

    def remove(self) -> None:
        pass


class Run:
    """A session in a thread of its own, and a connection to it."""

    def __init__(self, folder: Path) -> None:
        self.link = Link(folder / "run")
        self.printed = bytearray()
        self._ended: queue.Queue[Ending] = queue.Queue()
        self._interruption = Interruption()
        logs = LogCutter(lambda _seq, content: self.printed.extend(content))
        container = Living()
        conversation = Conversation(self.link, container)
        self.warm = Warm(container, conversation, FIT, "image", LOAD, 30)
        session = Session(self.warm, logs, self._interruption, {}, b"1", 30)
        self._thread = threading.Thread(target=lambda: self._ended.put(session.run()))
        self._thread.start()
        self.runner = socket.socket(socket.AF_UNIX)
        self.runner.connect(str(self.link.folder / "node.sock"))
        self.said = self.runner.makefile("rb")
        assert self.said.readline() == LOAD

    def ending(self) -> Ending:
        return self._ended.get(timeout=30)

    def close(self) -> None:
        self.said.close()
        self.runner.close()
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.warm.discard()
        self._interruption.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.close()


def test_an_answer_ends_it(run: Run) -> None:
    run.runner.sendall(NEXT)
    assert b'"op": "event"' in run.said.readline()
    run.runner.sendall(ANSWER)
    assert run.ending().output == b"7"


def test_whoever_asks_for_a_second_event_disturbs(run: Run) -> None:
    """Asking without end would keep the node busy as long as the function may run."""
    run.runner.sendall(NEXT + NEXT)
    ending = run.ending()
    assert ending.reason == "bad_result"
    assert ending.message == (
        "the function disturbed its runner's connection: it asked for a second event"
    )


def test_output_that_is_opened_again_is_read(run: Run) -> None:
    """More than fits into the pipe: whoever prints would wait for ever for somebody to read it."""
    run.runner.sendall(NEXT)
    for _ in range(2):
        before = len(run.printed)
        with (run.link.folder / "output").open("wb", buffering=0) as output:
            output.write(b"x" * 4 * limits.LOG_CHUNK_BYTES)
        wanted = before + 4 * limits.LOG_CHUNK_BYTES
        until(lambda wanted=wanted: len(run.printed) == wanted, "all of it was read")
    run.runner.sendall(ANSWER)
    assert run.ending().output == b"7"


def test_a_pipe_that_all_writers_have_left_is_not_ready_for_ever(tmp_path: Path) -> None:
    link = Link(tmp_path / "run")
    try:
        with (link.folder / "output").open("wb", buffering=0) as output:
            output.write(b"x")
            assert select.select([link.output], [], [], 0)[0] == [link.output]
        assert os.read(link.output, 10) == b"x"
        assert select.select([link.output], [], [], 0)[0] == []
    finally:
        link.close()


def test_a_head_goes_with_the_answer(run: Run) -> None:
    run.runner.sendall(NEXT)
    run.said.readline()
    head = b'{"op": "response", "head": {"status": 201, "encoding": "text"}, "size": 3}\n"a"'
    run.runner.sendall(head)
    ending = run.ending()
    assert (ending.reason, ending.output) == (None, b'"a"')
    assert ending.response == ResponseHead(status=201, encoding="text")


def test_a_head_that_is_none_ends_the_run_badly(run: Run) -> None:
    run.runner.sendall(NEXT)
    run.said.readline()
    run.runner.sendall(b'{"op": "response", "head": {"status": 101}, "size": 1}\n7')
    ending = run.ending()
    assert (ending.reason, ending.output, ending.response) == ("bad_result", None, None)
    assert ending.message == (
        "the Response cannot be answered: Expected `int` >= 200 - at `$.status`"
    )
