"""Answers on their way back to callers who wait: this process's inlet, and who waits for what.

There is no thread behind it. One of those who wait reads the inlet, for the others too, until its
own answer is there or its time is over; then another one does. So an answer that came for who reads
is with its caller at once.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pratai_common.channels import Context, Inlet
from pratai_common.curve import Curve
from pratai_common.inbox import Inbox
from pratai_common.messages import Answer, MessageDecoder

_BATCH = 256


class Waiter:
    """One caller's wait for the answer to one request."""

    def __init__(self, replies: "Replies") -> None:
        self._replies = replies
        self._woken = threading.Lock()
        self._woken.acquire()
        self.answer: Answer | None = None
        self.waits = False

    def wait(self, seconds: float) -> Answer | None:
        """Return the answer, ``None`` if it did not come within so many seconds."""
        ends = time.monotonic() + seconds
        left = max(0.0, seconds)
        self.waits = True  # from now on it may be the one to read, and hears of that
        try:
            while self.answer is None and left >= 0 and not self._replies.closed:
                if not self._replies.read_for(self, left):
                    self._woken.acquire(timeout=left)
                left = ends - time.monotonic()
        finally:
            self.waits = False
            self._replies.hand_on()
        return self.answer

    def give(self, answer: Answer) -> None:
        """Hand over the answer; a second one changes nothing."""
        if self.answer is None:
            self.answer = answer
            self.wake()

    def wake(self) -> None:
        """Have it look again."""
        with suppress(RuntimeError):  # it was told already
            self._woken.release()


class Replies:
    """A bound inlet, which one thread at a time reads. ``dropped`` counts what was no answer."""

    def __init__(self, context: Context, address: str, curve: Curve | None = None) -> None:
        self._inlet = Inlet(context, address, curve)
        self._inbox: Inbox[Answer] = Inbox(self._inlet, MessageDecoder(Answer))
        self.address = self._inlet.address
        self._waiting: dict[str, list[Waiter]] = {}
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self.closed = False

    @property
    def dropped(self) -> int:
        """Return how many messages were dropped."""
        return self._inbox.dropped

    @contextmanager
    def expect(self, request_id: str) -> Iterator[Waiter]:
        """Take the answer to a request, which is sent inside the block and not before it."""
        waiter = Waiter(self)
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

    def read_for(self, waiter: Waiter, seconds: float) -> bool:
        """Read until somebody has an answer for it, or for so many seconds at most; ``False`` where
        another one reads, and it is woken when it is to look again.
        """
        if not self._reading.acquire(blocking=False):
            return False
        ends = time.monotonic() + seconds
        try:
            while waiter.answer is None and not self.closed:
                left = ends - time.monotonic()
                if left < 0:
                    break
                for answer in self._inbox.receive(int(left * 1000) + 1, _BATCH):
                    self._give(answer)
        finally:
            self._reading.release()
        return True

    def close(self) -> None:
        """Let nobody wait any more, and free the address."""
        self.closed = True
        self._inlet.wake()
        with self._reading:
            self._inlet.close()
        self.hand_on()

    def hand_on(self) -> None:
        """Have another one read, where some wait and nobody does."""
        if self._reading.locked():
            return
        with self._lock:
            others = (each for waiters in self._waiting.values() for each in waiters)
            following = next((each for each in others if each.waits and each.answer is None), None)
        if following is not None:
            following.wake()

    def _give(self, answer: Answer) -> None:
        with self._lock:
            waiters = list(self._waiting.get(answer.request_id, ()))
        for waiter in waiters:
            waiter.give(answer)
