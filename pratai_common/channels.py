"""ZeroMQ PUSH/PULL as the daemons use it: every send non-blocking, every queue bounded.

A socket belongs to one thread. An :class:`Outlets` may be shared by threads: each gets sockets of
its own. Undelivered messages are never waited for; whoever sends knows another way (the store is
swept, the spool resends).
"""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import zmq

from pratai_common import limits
from pratai_common.log_context import logged
from pratai_common.messages import Message, encode

Context = zmq.Context[zmq.Socket[bytes]]
LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 600.0


class _Outlet:
    def __init__(self, socket: zmq.Socket[bytes], used_at: float) -> None:
        self.socket = socket
        self.used_at = used_at


class Outlets:
    """Sends messages to addresses such as ``tcp://127.0.0.1:5557``.

    A socket that was not used for ten minutes is closed when the next one is opened: daemons get
    new addresses as they are restarted, and a process has a limited number of sockets.
    """

    def __init__(self, context: Context, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._clock = clock
        self._local = threading.local()

    def send(self, address: str, message: Message) -> bool:
        """Queue a message; ``False`` where the queue is full or nobody ever connected."""
        frame = encode(message)
        if len(frame) > limits.MAX_MESSAGE_BYTES:
            with _logged(message):
                LOG.error("a message of %d bytes to %s was not sent", len(frame), address)
            return False
        try:
            self._socket(address).send(frame, zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            with _logged(message):
                LOG.error("cannot send to %r: %s", address, error)
            return False
        return True

    def close(self, linger_ms: int = 500) -> None:
        """Close this thread's sockets, giving what is queued a moment to leave."""
        for outlet in self._outlets().values():
            outlet.socket.close(linger=linger_ms)
        self._outlets().clear()

    def _socket(self, address: str) -> zmq.Socket[bytes]:
        outlets, now = self._outlets(), self._clock()
        if address not in outlets:
            _close_idle(outlets, now)
            outlets[address] = _Outlet(self._connected(address), now)
        outlet = outlets[address]
        outlet.used_at = now
        outlets.move_to_end(address)
        return outlet.socket

    def _connected(self, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.PUSH)
        socket.set_hwm(limits.QUEUE_MESSAGES)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        try:
            socket.connect(address)
        except zmq.ZMQError:
            socket.close()
            raise
        return socket

    def _outlets(self) -> OrderedDict[str, _Outlet]:
        """Return this thread's sockets by address, the longest unused first."""
        if not hasattr(self._local, "outlets"):
            self._local.outlets = OrderedDict()
        outlets: OrderedDict[str, _Outlet] = self._local.outlets
        return outlets


def _logged(message: Message) -> AbstractContextManager[None]:
    """Have a line on a message carry the id of the request that it speaks of, if of one."""
    request_id = getattr(message, "request_id", None)
    return logged(request_id) if request_id else nullcontext()


def _close_idle(outlets: OrderedDict[str, _Outlet], now: float) -> None:
    while outlets and now - next(iter(outlets.values())).used_at > _IDLE_SECONDS:
        outlets.popitem(last=False)[1].socket.close(linger=0)


class Inlet:
    """A bound PULL socket that another thread, or a signal handler, can wake."""

    def __init__(self, context: Context, address: str) -> None:
        self._socket = context.socket(zmq.PULL)
        self._socket.set_hwm(limits.QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.MAXMSGSIZE, limits.MAX_MESSAGE_BYTES)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._wake, zmq.POLLIN)

    def wake(self) -> None:
        """Make a waiting ``receive`` return; may be called from any thread and from signals."""
        os.eventfd_write(self._wake, 1)

    def receive(self, timeout_ms: int, most: int) -> list[list[bytes]]:
        """Return up to ``most`` messages as their frames, after waiting for the first."""
        ready = dict(self._poller.poll(timeout_ms))
        if self._wake in ready:
            os.eventfd_read(self._wake)
        received: list[list[bytes]] = []
        while len(received) < most:
            try:
                received.append(self._socket.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
        return received

    def close(self) -> None:
        """Free the address at once."""
        self._socket.close(linger=0)
        os.close(self._wake)
