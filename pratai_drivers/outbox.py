"""What a node's threads want sent, in the order in which they say so.

Whoever finds nobody sending sends, for the others too: so an answer need not wait until another
thread wakes. The sockets are used by one thread at a time.
"""

import queue
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from pratai_common.channels import Peer
from pratai_common.messages import Message


class Sockets(Protocol):
    """What messages leave by; used by several threads, never by two at a time."""

    def send_each(self, peers: Iterable[Peer], message: Message) -> bool:
        """Queue a message to each of some peers."""

    def close(self) -> None:
        """Close them."""


class Outbox:
    """See the module. May be used from many threads."""

    def __init__(self, schedulers: Sequence[Peer], collector: Peer, sockets: Sockets) -> None:
        self._schedulers = schedulers
        self._collector = (collector,)
        self._sockets = sockets
        self._queue: queue.SimpleQueue[tuple[Sequence[Peer], Message]] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._closed = False

    def to_scheduler(self, message: Message) -> None:
        """Have a message sent to each scheduler."""
        self._put(self._schedulers, message)

    def to_collector(self, message: Message) -> None:
        """Have a message sent to a collector."""
        self._put(self._collector, message)

    def close(self) -> None:
        """Send what waits, and close the sockets; what others want sent from then on is dropped."""
        self._sending.acquire()  # for good: nobody may use a socket, or open one, any more
        self._closed = True
        try:
            self._send_all()
        finally:
            self._sockets.close()

    def _put(self, peers: Sequence[Peer], message: Message) -> None:
        if self._closed:
            return
        self._queue.put((peers, message))
        # Whoever sends looks again after it has let go: nothing is left that came meanwhile.
        while not self._queue.empty() and self._sending.acquire(blocking=False):
            try:
                self._send_all()
            finally:
                self._sending.release()

    def _send_all(self) -> None:
        while True:
            try:
                peers, message = self._queue.get_nowait()
            except queue.Empty:
                return
            self._sockets.send_each(peers, message)
