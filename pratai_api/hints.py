"""Tells the scheduler what was recorded, from one thread for all that accept requests.

Nobody waits for it: the scheduler finds what it was not told. What is told within the same moment
leaves together, and a thread that has recorded a request gives up its turn once less.
"""

import queue
import threading
from collections.abc import Callable

from pratai_common import limits
from pratai_common.messages import Message


class Hints:
    """Takes messages from all threads; ``send`` is called in one."""

    def __init__(self, send: Callable[[Message], object]) -> None:
        self._send = send
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="hints", daemon=True).start()

    def put(self, message: Message) -> bool:
        """Have a message sent; ``False`` where too many wait for that already."""
        if self._waiting.qsize() >= limits.QUEUE_MESSAGES:
            return False
        self._waiting.put(message)
        return True

    def _serve(self) -> None:
        while True:
            self._send(self._waiting.get())
