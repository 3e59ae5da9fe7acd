"""What a node's threads want sent, handed to the one thread that owns the sockets."""

import queue
from collections.abc import Callable

from pratai_common.channels import Outlets
from pratai_common.messages import Message


class Outbox:
    """Thread-safe. ``wake`` tells the owner of the sockets that there is something to send."""

    def __init__(self, scheduler: str, collector: str, wake: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._collector = collector
        self._wake = wake
        self._queue: queue.SimpleQueue[tuple[str, Message]] = queue.SimpleQueue()

    def to_scheduler(self, message: Message) -> None:
        """Have a message sent to the scheduler."""
        self._put(self._scheduler, message)

    def to_collector(self, message: Message) -> None:
        """Have a message sent to the collector."""
        self._put(self._collector, message)

    def _put(self, address: str, message: Message) -> None:
        self._queue.put((address, message))
        self._wake()

    def flush(self, outlets: Outlets) -> None:
        """Send what is waiting; called by the owner of the sockets."""
        while True:
            try:
                address, message = self._queue.get_nowait()
            except queue.Empty:
                return
            outlets.send(address, message)
