"""The conversation with the runner in a container: what it says and prints, and how it may end.

Whoever waits for the runner does so in its own thread, for the runner's socket, the pipe of its
output, an interruption and a deadline all at once.
"""

import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pratai_common import limits
from pratai_common.errors import EngineError, Reason
from pratai_drivers.engines.base import Container
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import ProtocolError, RunnerLink, Said

_READ_BYTES = 64 * limits.KIB
_DRAIN_BYTES = 2 * limits.MIB
_DRAIN_READS = 512
"""Twice what a pipe holds that code without privileges has made as large as it can: a mebibyte, by
256 pages. In packet mode, which such code can set as well, each read returns one page at most.
"""
_LOOK_SECONDS = 0.5
_EXIT_SECONDS = 15.0
"""How long Docker may take to say that a process has ended whose connection is closed."""

_LINK_LOST = 76
"""Exit code of a runner whose connection is gone (see the protocol)."""


class EndedError(Exception):
    """Nothing more will be heard of this runner; ``reason`` and ``message`` are a result's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class TooLateError(EndedError):
    """The deadline has come."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.TIMEOUT, message)


class Patience(NamedTuple):
    """How long somebody waits. ``deadline`` is on the monotonic clock, in seconds; ``too_late``
    is the message of what has not come by then.
    """

    interruption: Interruption
    deadline: float
    too_late: str


class Conversation:
    """See the module. Used by one thread at a time.

    What the runner prints is kept until an event begins, and belongs to the first one. What it
    prints between an event's end and the next one's beginning is nobody's.
    """

    def __init__(self, link: Link, container: Container) -> None:
        self._link = link
        self._container = container
        self._protocol = RunnerLink()
        self._received = b""
        self._unsent = memoryview(b"")
        self._connection: socket.socket | None = None
        self._kept: bytearray | None = bytearray()
        self._logs: LogCutter | None = None
        self._look_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._selector.register(link.listener, selectors.EVENT_READ)
        self._selector.register(link.output, selectors.EVENT_READ)

    def close(self) -> None:
        """Hang up, and remove what the container saw of the node: a runner that waits ends."""
        self._selector.close()
        if self._connection is not None:
            self._connection.close()
        self._link.close()

    # With the runner

    def connect(self, patience: Patience) -> None:
        """Wait for the runner; raises EngineError if it does not come, EndedError if somebody
        interrupts.
        """
        try:
            with self._interruptible(patience.interruption):
                while self._connection is None:
                    self._wait(patience)
        except TooLateError:
            raise EngineError("the container's runner did not begin in time") from None

    def say(self, content: bytes) -> None:
        """Send what fits now, and the rest while somebody hears."""
        self._unsent = memoryview(content)
        self._write()

    def hear(self, patience: Patience) -> Said:
        """Return what the runner says next; raises EndedError where nothing more comes."""
        self._look_at = time.monotonic() + _LOOK_SECONDS
        with self._interruptible(patience.interruption):
            while (said := self._said()) is None:
                self._wait(patience)
        return said

    def quiet(self) -> bool:
        """Say, without waiting, whether a runner that waits for an event still does."""
        self.drained()
        assert self._connection is not None  # noqa: S101 - it was heard
        if self._received or self._unsent or not self._protocol.idle:
            return False
        try:
            # What it says now, when nobody asked, is as wrong as its end.
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def _said(self) -> Said | None:
        try:
            received, self._received = self._received, b""
            return self._protocol.feed(received)
        except ProtocolError as error:
            raise disturbed(str(error)) from None

    @contextmanager
    def _interruptible(self, interruption: Interruption) -> Iterator[None]:
        self._selector.register(interruption.fileno(), selectors.EVENT_READ, interruption)
        try:
            yield
        finally:
            self._selector.unregister(interruption.fileno())

    def _wait(self, patience: Patience) -> None:
        """Wait until something happens, and take it."""
        now = time.monotonic()
        if now >= patience.deadline:
            raise TooLateError(patience.too_late)
        for key, events in self._selector.select(min(_LOOK_SECONDS, patience.deadline - now)):
            self._on(key, events)
        now = time.monotonic()
        if self._logs is not None:
            self._logs.flush_due(now)
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._look_after()

    def _on(self, key: selectors.SelectorKey, events: int) -> None:
        if isinstance(key.data, Interruption):
            raise EndedError(key.data.reason or Reason.CANCELLED, key.data.message)
        if key.fileobj is self._link.listener:
            self._accept()
        elif key.fileobj == self._link.output:
            self._take_output()
        elif events & selectors.EVENT_WRITE:
            self._write()
        else:
            self._read()

    def _look_after(self) -> None:
        """Find out early that nothing more will come of a container."""
        if self._connection is not None:
            if self._container.out_of_memory():
                raise starved()
            return
        ended = self._container.wait(0.01)
        if ended is not None:
            raise EngineError(f"the container ended with code {ended.code} before its runner began")

    def _accept(self) -> None:
        """Take the runner's connection, the first; nobody else can connect after it."""
        self._connection, _ = self._link.listener.accept()
        self._connection.setblocking(False)
        self._selector.unregister(self._link.listener)
        self._link.listener.close()
        self._selector.register(self._connection, selectors.EVENT_READ)

    def _read(self) -> None:
        assert self._connection is not None  # noqa: S101 - registered only when connected
        try:
            self._received = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._received = b""
        if not self._received:
            raise self._vanished()

    def _write(self) -> None:
        """Write what fits; the rest when the runner has read. A runner that is gone is read."""
        assert self._connection is not None  # noqa: S101 - registered only when connected
        try:
            sent = self._connection.send(self._unsent)
            self._unsent = self._unsent[sent:] or memoryview(b"")  # keeps nothing that is sent
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = memoryview(b"")
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._connection).events != events:
            self._selector.modify(self._connection, events)

    def _vanished(self) -> EndedError:
        """Say why the runner's end of the connection is closed."""
        ended = self._container.wait(_EXIT_SECONDS)
        if ended is None or (ended.code == _LINK_LOST and not ended.out_of_memory):
            return EndedError(Reason.BAD_RESULT, "the function closed its runner's connection")
        if ended.out_of_memory:
            return starved()
        return EndedError(Reason.EXIT_CODE, f"its process ended with code {ended.code}")

    # Output

    def begin_log(self, logs: LogCutter) -> None:
        """Have what is printed from now on, or was before the first event, in an event's log."""
        self.drained()
        self._logs = logs
        if self._kept:
            logs.write(bytes(self._kept), time.monotonic())
            if len(self._kept) > limits.LOG_BYTES_PER_RUN:
                logs.cut()  # it was cut before it was masked
        self._kept = None

    def end_log(self) -> None:
        """Put into the event's log what was printed before its end, and nothing more."""
        whole = self.drained()
        if self._logs is not None:
            self._logs.flush(whole=whole)
        self._logs = None

    def drained(self) -> bool:
        """Take what was printed, and say whether that was all: bounded, for somebody may still
        print.
        """
        taken = 0
        for _ in range(_DRAIN_READS):
            size = self._take_output()
            taken += size
            if not size or taken > _DRAIN_BYTES:
                return not size
        return False

    def _take_output(self) -> int:
        """Take what the pipe holds, and return how many bytes; none if it is empty for now."""
        try:
            output = os.read(self._link.output, _READ_BYTES)
        except BlockingIOError:
            return 0
        if self._logs is not None:
            self._logs.write(output, time.monotonic())
        elif self._kept is not None:
            # A byte more than a log holds, so that it says where it was cut.
            self._kept += output[: limits.LOG_BYTES_PER_RUN + 1 - len(self._kept)]
        return len(output)


def starved() -> EndedError:
    """Return what ends a run that wanted more memory than there is."""
    return EndedError(Reason.OOM, "it needed more memory than the function has")


def disturbed(how: str) -> EndedError:
    """Return what ends a run whose function spoke for its runner."""
    message = f"the function disturbed its runner's connection: {how}"
    return EndedError(Reason.BAD_RESULT, message)
