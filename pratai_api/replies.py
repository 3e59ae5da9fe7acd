"""Answers on their way back to callers who wait: this process's inlet, and who waits for what."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager

from pratai_common.channels import Context, Inlet
from pratai_common.errors import DecodeError
from pratai_common.messages import Answer, MessageDecoder

LOG = logging.getLogger(__name__)
_BATCH = 256
_POLL_MS = 1000


class Waiter:
    """One caller's wait for the answer to one request."""

    def __init__(self) -> None:
        self._future: Future[Answer] = Future()

    def wait(self, seconds: float) -> Answer | None:
        """Return the answer, ``None`` if it did not come within so many seconds."""
        try:
            return self._future.result(max(0.0, seconds))
        except FutureTimeoutError:
            return None

    def give(self, answer: Answer) -> None:
        """Hand over the answer; a second one changes nothing."""
        if not self._future.done():
            self._future.set_result(answer)


class Replies:
    """A bound inlet and the thread that reads it. ``dropped`` counts malformed messages."""

    def __init__(self, context: Context, address: str) -> None:
        self._inlet = Inlet(context, address)
        self.address = self._inlet.address
        self.dropped = 0
        self._decoder: MessageDecoder[Answer] = MessageDecoder(Answer)
        self._waiting: dict[str, list[Waiter]] = {}
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._serve, name="replies", daemon=True)
        self._thread.start()

    @contextmanager
    def expect(self, request_id: str) -> Iterator[Waiter]:
        """Take the answer to a request, which is sent inside the block and not before it."""
        waiter = Waiter()
        with self._lock:
            self._waiting.setdefault(request_id, []).append(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                waiters = self._waiting[request_id]
                waiters.remove(waiter)
                if not waiters:
                    del self._waiting[request_id]

    def close(self) -> None:
        """End the thread and free the address."""
        self._ended = True
        self._inlet.wake()
        self._thread.join()
        self._inlet.close()

    def _serve(self) -> None:
        while not self._ended:
            for frames in self._inlet.receive(_POLL_MS, _BATCH):
                self._take(frames)

    def _take(self, frames: list[bytes]) -> None:
        try:
            answer = self._decoder.decode(frames)
        except DecodeError as error:
            self.dropped += 1
            LOG.warning("dropped a malformed message: %s", error)
            return
        with self._lock:
            waiters = list(self._waiting.get(answer.request_id, ()))
        for waiter in waiters:
            waiter.give(answer)
