"""One event in one container: waits for the runner, gives it the event, takes its answer.

Runs on the slot's own thread, which waits for the runner's socket, the pipe of its output, an
interruption and the deadlines all at once.
"""

import os
import selectors
import socket
import time
from typing import NamedTuple

from pratai_common import limits
from pratai_common.errors import EngineError, Reason
from pratai_common.records import ResponseHead
from pratai_common.response_heads import BadResponseError
from pratai_drivers.engines.base import Container
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import (
    Failure,
    ProtocolError,
    Ready,
    Response,
    RunnerLink,
    Said,
    event_header,
    head_of,
)

_READ_BYTES = 64 * limits.KIB
_LOOK_SECONDS = 0.5
_EXIT_SECONDS = 5.0
_LINK_LOST = 76
"""Exit code of a runner whose connection is gone (see the protocol)."""


class Ending(NamedTuple):
    """How the user's code ended. Times in milliseconds; ``reason`` is ``None`` for success."""

    reason: str | None
    message: str | None
    output: bytes | None
    init_ms: float | None
    run_ms: float | None
    response: ResponseHead | None = None


class Session:
    """See the module. Durations are seconds; the clock is monotonic."""

    def __init__(
        self,
        link: Link,
        logs: LogCutter,
        interruption: Interruption,
        context: dict[str, object],
        payload: bytes,
        timeout: float,
        start_seconds: float,
    ) -> None:
        self._link = link
        self._logs = logs
        self._interruption = interruption
        self._context = context
        self._payload = payload
        self._timeout = timeout
        self._protocol = RunnerLink()
        self._connection: socket.socket | None = None
        self._deadline = time.monotonic() + start_seconds
        self._look_at = 0.0
        self._connected: float | None = None
        self._ready: float | None = None
        self._sent = memoryview(b"")
        self._selector = selectors.DefaultSelector()

    def run(self, container: Container) -> Ending:
        """Return how it ended; raises EngineError if the container never ran its runner."""
        with self._selector:
            self._selector.register(self._link.listener, selectors.EVENT_READ)
            self._selector.register(self._link.output, selectors.EVENT_READ)
            self._selector.register(self._interruption.fileno(), selectors.EVENT_READ)
            try:
                return self._serve(container)
            finally:
                self._drain_output()
                self._logs.flush()
                if self._connection is not None:
                    self._connection.close()

    def _serve(self, container: Container) -> Ending:
        while True:
            for key, events in self._selector.select(self._patience()):
                ending = self._on(key.fileobj, events, container)
                if ending is not None:
                    return self._unless_starved(ending, container)
            now = time.monotonic()
            self._logs.flush_due(now)
            if now >= self._deadline:
                return self._unless_starved(self._too_late(), container)
            if now >= self._look_at:
                self._look_at = now + _LOOK_SECONDS
                starved = self._look_after(container)
                if starved is not None:
                    return starved

    def _patience(self) -> float:
        return max(0.0, min(_LOOK_SECONDS, self._deadline - time.monotonic()))

    def _on(self, ready: object, events: int, container: Container) -> Ending | None:
        if ready is self._link.listener:
            self._accept()
        elif ready == self._link.output:
            self._take_output()
        elif ready == self._interruption.fileno():
            return self._end(self._interruption.reason, self._interruption.message)
        elif events & selectors.EVENT_WRITE:
            self._write()
        else:
            return self._read(container)
        return None

    def _look_after(self, container: Container) -> Ending | None:
        """Find out early that nothing more will come of a container."""
        if self._connection is not None:
            return self._starved() if container.out_of_memory() else None
        ended = container.wait(0.01)
        if ended is not None:
            raise EngineError(f"the container ended with code {ended.code} before its runner began")
        return None

    def _unless_starved(self, ending: Ending, container: Container) -> Ending:
        """Return how it ended. Where a process of it was killed for want of memory, that is what
        counts, whatever the others made of it: part of the work was not done.
        """
        if self._interruption.reason is None and container.out_of_memory():
            return self._starved()
        return ending

    def _starved(self) -> Ending:
        return self._end(Reason.OOM, "it needed more memory than the function has")

    # Before the runner has connected

    def _accept(self) -> None:
        """Take the runner's connection, the first; nobody else can connect after it."""
        self._connection, _ = self._link.listener.accept()
        self._connection.setblocking(False)
        self._selector.unregister(self._link.listener)
        self._link.listener.close()
        self._selector.register(self._connection, selectors.EVENT_READ)
        self._connected = time.monotonic()
        self._deadline = self._connected + self._timeout

    def _too_late(self) -> Ending:
        if self._connected is None:
            raise EngineError("the container's runner did not begin in time")
        message = f"it did not end within {self._timeout:g} s (imports and main together)"
        return self._end(Reason.TIMEOUT, message)

    # With the runner

    def _read(self, container: Container) -> Ending | None:
        assert self._connection is not None  # noqa: S101 - registered only when connected
        try:
            received = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            received = b""
        if not received:
            return self._vanished(container)
        try:
            return self._heard_all(received)
        except ProtocolError as error:
            message = f"the function disturbed its runner's connection: {error}"
            return self._end(Reason.BAD_RESULT, message)

    def _heard_all(self, received: bytes) -> Ending | None:
        """Take all that these bytes complete, up to the answer; raises ProtocolError."""
        said = self._protocol.feed(received)
        while said is not None:
            ending = self._heard(said)
            if ending is not None:
                return ending
            said = self._protocol.feed(b"")
        return None

    def _heard(self, said: Said) -> Ending | None:
        if isinstance(said, Ready):
            if self._ready is not None:
                raise ProtocolError("it asked for a second event")
            self._ready = time.monotonic()
            self._send_event()
            return None
        if isinstance(said, Failure):
            return self._end(said.reason, said.message)
        return self._response(said)

    def _response(self, said: Response) -> Ending:
        try:
            head = head_of(said)
        except BadResponseError as error:
            return self._end(Reason.BAD_RESULT, str(error))
        return self._end(None, None, said.body)._replace(response=head)

    def _send_event(self) -> None:
        payload = self._payload
        left = self._deadline - time.monotonic()
        self._sent = memoryview(event_header(self._context, left, len(payload)) + payload)
        self._write()

    def _write(self) -> None:
        """Write what fits; the rest when the runner has read. A runner that is gone is read."""
        assert self._connection is not None  # noqa: S101 - registered only when connected
        try:
            self._sent = self._sent[self._connection.send(self._sent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._sent = memoryview(b"")
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._sent else 0)
        self._selector.modify(self._connection, events)

    def _vanished(self, container: Container) -> Ending:
        """Say why the runner's end of the connection is closed."""
        ended = container.wait(_EXIT_SECONDS)
        if ended is None or (ended.code == _LINK_LOST and not ended.out_of_memory):
            message = "the function closed its runner's connection"
            return self._end(Reason.BAD_RESULT, message)
        if ended.out_of_memory:
            return self._starved()
        return self._end(Reason.EXIT_CODE, f"its process ended with code {ended.code}")

    def _end(self, reason: str | None, message: str | None, output: bytes | None = None) -> Ending:
        now = time.monotonic()
        init_ms = run_ms = None
        if self._connected is not None:
            init_ms = _milliseconds((self._ready or now) - self._connected)
        if self._ready is not None:
            run_ms = _milliseconds(now - self._ready)
        return Ending(reason, message, output, init_ms, run_ms)

    # Output

    def _drain_output(self) -> None:
        """Take what was printed before the end: bounded, for somebody may still print."""
        for _ in range(limits.LOG_BYTES_PER_RUN // _READ_BYTES + 1):
            if not self._take_output():
                return

    def _take_output(self) -> bool:
        """Take what the pipe holds; ``False`` if it is empty for now."""
        try:
            output = os.read(self._link.output, _READ_BYTES)
        except BlockingIOError:
            return False
        self._logs.write(output, time.monotonic())
        return True


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
