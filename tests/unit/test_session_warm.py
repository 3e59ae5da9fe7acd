"""Containers that were ready before their event, and those that handle several; the test is the
runner.
"""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

import pratai_drivers.conversation
from pratai_common import limits
from pratai_common.errors import Reason
from pratai_drivers.conversation import Conversation, EndedError
from pratai_drivers.engines.base import Files
from pratai_drivers.fit import Fit
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import load_message
from pratai_drivers.session import Ending, Session
from pratai_drivers.warm import Warm
from tests.unit.node_world import FIT
from tests.unit.test_node_session import ANSWER, NEXT, Living

T = TypeVar("T")
FIT = FIT._replace(isolation="process", environment=(("A", "b"),))
LOAD = load_message("process", {"A": "b"}, Files("/there/function", "/there/packages"))


class Runner:
    """The runner's end: it waits for what the node does in a thread of its own."""

    def __init__(self, folder: Path, fit: Fit = FIT) -> None:
        self.link = Link(folder / "run")
        container = Living()
        conversation = Conversation(self.link, container)
        self.warm = Warm(container, conversation, fit, "image", LOAD, 30)
        self.interruption = Interruption()
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(str(self.link.folder / "node.sock"))
        self.heard = self.connection.makefile("rb")
        self.printed = b""

    def say(self, content: bytes) -> None:
        self.connection.sendall(content)

    def print(self, content: bytes) -> None:
        with (self.link.folder / "output").open("wb", buffering=0) as output:
            output.write(content)

    def print_packets(self, count: int) -> None:
        """Print so many single characters, each of which takes a page of the pipe."""
        with (self.link.folder / "output").open("wb", buffering=0) as output:
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, limits.MIB)
            flags = fcntl.fcntl(output, fcntl.F_GETFL)
            fcntl.fcntl(output, fcntl.F_SETFL, flags | os.O_DIRECT)
            for _ in range(count):
                output.write(b"x")

    def hear(self) -> dict[str, Any]:
        """Return what the node says next, without its body."""
        header: dict[str, Any] = json.loads(self.heard.readline())
        self.heard.read(header["size"])
        return header

    def during(self, does: Callable[[], T], script: Callable[[], object]) -> T:
        """Return what the node makes of it, while the runner follows its script."""
        found: list[T] = []
        thread = threading.Thread(target=lambda: found.append(does()))
        thread.start()
        script()
        thread.join(30)
        assert not thread.is_alive()
        return found[0]

    def load(self, printed: bytes = b"", said: bytes = NEXT) -> None:
        def script() -> None:
            assert self.heard.readline() == LOAD
            if printed:
                self.print(printed)
            self.say(said)

        self.during(lambda: self.warm.load(self.interruption, 30), script)

    def event(self, said: bytes = ANSWER, timeout: float = 30) -> tuple[Ending, dict[str, Any]]:
        """Return how an event ended, and the header that brought it."""
        pieces: list[bytes] = []
        logs = LogCutter(lambda _seq, content: pieces.append(content))
        session = Session(self.warm, logs, self.interruption, {}, b"1", timeout)
        headers: list[dict[str, Any]] = []

        def script() -> None:
            headers.append(self.hear())
            self.say(said)

        ending = self.during(session.run, script)
        self.printed = b"".join(pieces)
        return ending, headers[0]

    def close(self) -> None:
        self.heard.close()
        self.connection.close()
        self.warm.discard()
        self.interruption.close()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(tmp_path)
    yield made
    made.close()


def test_it_is_told_what_to_load(runner: Runner) -> None:
    assert json.loads(LOAD) == {
        "op": "load",
        "isolation": "process",
        "environment": {"A": "b"},
        "function": "/there/function",
        "packages": "/there/packages",
        "size": 0,
    }
    assert not runner.warm.ready
    runner.load()
    assert runner.warm.ready


def test_the_first_event_has_what_the_import_left_and_later_ones_have_all(runner: Runner) -> None:
    runner.load()
    init = runner.warm.init_seconds()
    assert init is not None
    ending, header = runner.event()
    assert header["timeout"] == pytest.approx(30 - init)
    assert ending.init_ms == pytest.approx(init * 1000, abs=0.001)
    assert ending.answered
    runner.say(NEXT)
    assert runner.warm.settle(runner.interruption)
    ending, header = runner.event()
    assert (header["timeout"], ending.init_ms, ending.output) == (30, 0, b"7")


def test_what_is_printed_belongs_to_the_event_that_runs(runner: Runner) -> None:
    runner.load(printed=b"imported\n")
    runner.print(b"between\n")
    assert runner.warm.conversation.quiet()
    runner.event()
    assert runner.printed == b"imported\nbetween\n"
    runner.print(b"after its answer\n")
    runner.say(NEXT)
    assert runner.warm.settle(runner.interruption)
    runner.print(b"while it waits\n")
    assert runner.warm.conversation.quiet()
    runner.print(b"until the next one\n")
    runner.event()
    assert runner.printed == b""


def test_a_spare_keeps_no_more_than_a_log_holds(runner: Runner) -> None:
    runner.load()
    for _ in range(limits.LOG_BYTES_PER_RUN // 65_536 + 2):
        runner.print(b"x" * 65_536)
        assert runner.warm.conversation.quiet()
    runner.event()
    assert runner.printed == b"x" * limits.LOG_BYTES_PER_RUN + limits.LOG_CUT_MARK


def test_one_that_cannot_be_copied_says_why_and_has_one_event(runner: Runner) -> None:
    runner.load(said=b'{"op": "next", "isolation": "container", "message": "WHY", "size": 0}\n')
    assert not runner.warm.reusable
    runner.event()
    assert runner.printed == b"[isolation container, not process: WHY]\n"


def test_what_was_to_handle_one_event_gets_no_other_whatever_it_says(tmp_path: Path) -> None:
    """The code of an event that was taken over holds its runner's connection."""
    runner = Runner(tmp_path, FIT._replace(isolation="container"))
    try:
        runner.load()
        ending, _ = runner.event(ANSWER + NEXT)
        assert (ending.output, ending.answered) == (b"7", True)
        assert not runner.warm.settle(runner.interruption)
    finally:
        runner.close()


def test_one_that_could_not_be_copied_gets_no_other_event_whatever_it_says(runner: Runner) -> None:
    runner.load(said=b'{"op": "next", "isolation": "container", "message": "WHY", "size": 0}\n')
    assert runner.event(ANSWER + NEXT)[0].output == b"7"
    assert not runner.warm.settle(runner.interruption)
    assert runner.warm.alone == "WHY"
    assert not runner.warm.reusable


def test_one_that_can_be_copied_no_more_gets_no_other_event(runner: Runner) -> None:
    runner.load()
    runner.event(
        ANSWER + b'{"op": "next", "isolation": "container", "message": "WHY", "size": 0}\n'
    )
    assert not runner.warm.settle(runner.interruption)
    assert runner.warm.alone is None, "its event had the isolation that was asked for"


def test_no_event_is_heard_for_the_sake_of_one_that_is_not_to_come(tmp_path: Path) -> None:
    """Its slot is free as soon as its answer is there, though its runner may live on."""
    runner = Runner(tmp_path, FIT._replace(isolation="container"))
    try:
        runner.load()
        runner.event()
        runner.warm.conversation.close()  # whoever hears now fails
        assert not runner.warm.settle(runner.interruption)
    finally:
        runner.heard.close()
        runner.connection.close()
        runner.interruption.close()


def test_nothing_that_an_event_printed_is_left_for_the_next(runner: Runner) -> None:
    runner.load()
    runner.event()
    runner.print_packets(250)
    runner.say(NEXT)
    assert runner.warm.settle(runner.interruption)
    runner.event()
    assert runner.printed == b""


def test_one_whose_output_does_not_end_gets_no_other_event(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pratai_drivers.conversation, "_DRAIN_READS", 3)
    runner.load()
    runner.event()
    runner.print_packets(50)
    runner.say(NEXT)
    assert not runner.warm.settle(runner.interruption)


@pytest.mark.parametrize(
    ("said", "reason", "message"),
    [
        (
            b'{"op": "init_error", "reason": "exception", "message": "no", "size": 0}\n',
            "exception",
            "no",
        ),
        (
            ANSWER,
            "bad_result",
            "the function disturbed its runner's connection: it answered before it was asked",
        ),
    ],
)
def test_an_import_that_fails_is_no_spare(
    runner: Runner, said: bytes, reason: str, message: str
) -> None:
    def load() -> EndedError | None:
        try:
            runner.warm.load(runner.interruption, 30)
        except EndedError as ended:
            return ended
        return None

    def script() -> None:
        runner.hear()
        runner.say(said)

    ended = runner.during(load, script)
    assert ended is not None
    assert (ended.reason, ended.message) == (reason, message)
    assert not runner.warm.ready


@pytest.mark.parametrize("said", [b"garbage", NEXT, ANSWER], ids=["garbage", "next", "answer"])
def test_one_that_speaks_when_nobody_asked_waits_no_more(runner: Runner, said: bytes) -> None:
    runner.load()
    assert runner.warm.conversation.quiet()
    runner.say(said)
    assert not runner.warm.conversation.quiet()


@pytest.mark.parametrize("said", [b"", ANSWER, b"garbage\n"], ids=["nothing", "answer", "garbage"])
def test_one_that_does_not_clean_up_has_no_other_event(runner: Runner, said: bytes) -> None:
    runner.load()
    assert runner.event()[0].answered
    runner.say(said)
    runner.connection.shutdown(socket.SHUT_WR)
    assert not runner.warm.settle(runner.interruption)


def test_an_event_that_is_not_wanted_any_more_is_not_given(runner: Runner) -> None:
    runner.load()
    runner.interruption.interrupt(Reason.CANCELLED, "it was cancelled")
    session = Session(runner.warm, LogCutter(print), runner.interruption, {}, b"1", 30)
    ending = session.run()
    assert (ending.reason, ending.message, ending.answered) == (
        "cancelled",
        "it was cancelled",
        False,
    )
    runner.connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        runner.connection.recv(1)


@pytest.mark.parametrize("begun", [b'{"op"', b'{"op": "next", "size": 4}\nab'])
def test_one_that_has_begun_to_say_more_waits_no_more(runner: Runner, begun: bytes) -> None:
    runner.load()
    runner.event()
    runner.say(NEXT)
    assert runner.warm.settle(runner.interruption)
    assert runner.warm.conversation.quiet()
    runner.event()
    runner.say(NEXT + begun)
    assert runner.warm.settle(runner.interruption)
    assert not runner.warm.conversation.quiet()


def test_one_that_did_not_take_all_of_its_event_waits_no_more(runner: Runner) -> None:
    runner.load()
    logs = LogCutter(lambda _seq, _content: None)
    payload = bytes(limits.MAX_BODY_BYTES)
    session = Session(runner.warm, logs, runner.interruption, {}, payload, 30)
    ending = runner.during(session.run, lambda: runner.say(ANSWER))
    assert ending.output == b"7"
    runner.say(NEXT)
    assert runner.warm.settle(runner.interruption)
    assert not runner.warm.conversation.quiet()
