"""ZeroMQ PUSH/PULL as the daemons use it: every send non-blocking, every queue bounded.

A socket belongs to one thread, or to whoever holds a lock. An :class:`Outlets` may be shared by
threads: each gets sockets of its own, unless it is ``shared``. Undelivered messages are never
waited for; whoever sends knows another way (the store is swept, the spool resends).
"""

import logging
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from types import SimpleNamespace
from typing import NamedTuple

import zmq

from pratai_common import limits
from pratai_common.curve import CURVE_BYTES, Curve
from pratai_common.log_context import logged
from pratai_common.messages import Message, encode
from pratai_common.senders import Identity, Role
from pratai_common.zap import Doorkeeper

Context = zmq.Context[zmq.Socket[bytes]]
LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 600.0
_COMMA = ","
_ENDPOINT = re.compile(r"tcp://(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
"""Where a node may say that it is: one address, and no name, for which libzmq would ask a name
server on the thread that all connections share.
"""


class Peer(NamedTuple):
    """Whom messages go to: an address such as ``tcp://127.0.0.1:5557``, and whose key is there.

    Several addresses, with commas between, are one peer: each message goes to one of those that are
    connected.
    """

    address: str
    identity: Identity

    @classmethod
    def any_of(cls, addresses: Iterable[str], identity: Identity) -> "Peer":
        """Return some addresses as one peer."""
        return cls(_COMMA.join(addresses), identity)

    @classmethod
    def each_of(cls, addresses: Iterable[str], identity: Identity) -> tuple["Peer", ...]:
        """Return each of some addresses as a peer."""
        return tuple(cls(address, identity) for address in addresses)


class _Outlet:
    def __init__(self, socket: zmq.Socket[bytes], key: bytes | None, used_at: float) -> None:
        self.socket = socket
        self.key = key
        self.used_at = used_at


class Outlets:
    """Sends messages to peers, by CURVE unless that is ``None``.

    A socket that was not used for ten minutes is closed when the next one is opened: daemons get
    new addresses as they are restarted, and a process has a limited number of sockets. One whose
    peer has a new key is connected anew: with the old one it would try for ever. Where it is
    ``shared`` all threads have the same sockets, and see to it that one at a time uses them.
    """

    def __init__(
        self,
        context: Context,
        curve: Curve | None = None,
        clock: Callable[[], float] = time.monotonic,
        shared: bool = False,
    ) -> None:
        self._context = context
        self._curve = curve
        self._clock = clock
        self._own = SimpleNamespace() if shared else threading.local()

    def send(self, peer: Peer, message: Message) -> bool:
        """Queue a message; ``False`` where the queue is full or nobody ever connected, and where
        the peer's key is not known.
        """
        frame = encode(message)
        if len(frame) > limits.MAX_MESSAGE_BYTES:
            with _logged(message):
                LOG.error("a message of %d bytes to %s was not sent", len(frame), peer.address)
            return False
        if peer.identity.role is Role.NODE and _ENDPOINT.fullmatch(peer.address) is None:
            with _logged(message):
                LOG.error("%s says that it is at %.80r", peer.identity, peer.address)
            return False
        key = None if self._curve is None else self._curve.key(peer.identity)
        if self._curve is not None and key is None:
            self._disconnect(peer)
            with _logged(message):
                LOG.warning("cannot send to %s: its key is not known", peer.identity)
            return False
        try:
            self._socket(peer, key).send(frame, zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            with _logged(message):
                LOG.error("cannot send to %r: %s", peer.address, error)
            return False
        return True

    def send_each(self, peers: Iterable[Peer], message: Message) -> bool:
        """Queue a message to each of some peers; ``False`` where no queue took it."""
        sent = [self.send(peer, message) for peer in peers]
        return any(sent)

    def close(self, linger_ms: int = 500) -> None:
        """Close this thread's sockets, giving what is queued a moment to leave."""
        for outlet in self._outlets().values():
            outlet.socket.close(linger=linger_ms)
        self._outlets().clear()

    def _socket(self, peer: Peer, key: bytes | None) -> zmq.Socket[bytes]:
        outlets, now = self._outlets(), self._clock()
        if peer in outlets and outlets[peer].key != key:
            self._disconnect(peer)
        if peer not in outlets:
            self._leave_former(peer)
            _close_idle(outlets, now)
            outlets[peer] = _Outlet(self._connected(peer.address, key), key, now)
        outlet = outlets[peer]
        outlet.used_at = now
        outlets.move_to_end(peer)
        return outlet.socket

    def _disconnect(self, peer: Peer) -> None:
        """Forget a peer, and what was not sent to it yet."""
        outlet = self._outlets().pop(peer, None)
        if outlet is not None:
            outlet.socket.close(linger=0)

    def _leave_former(self, peer: Peer) -> None:
        """Disconnect a node from where it was: however often it moves, it has one socket."""
        if peer.identity.role is Role.NODE:
            for former in [each for each in self._outlets() if each.identity == peer.identity]:
                self._disconnect(former)

    def _connected(self, address: str, key: bytes | None) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.PUSH)
        socket.set_hwm(limits.QUEUE_MESSAGES)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        if self._curve is not None and key is not None:
            self._curve.connect(socket, key)
        addresses = address.split(_COMMA)
        # Where there are others, nothing waits for one that is away.
        socket.setsockopt(zmq.IMMEDIATE, len(addresses) > 1)
        try:
            for each in addresses:
                socket.connect(each)
        except zmq.ZMQError:
            socket.close()
            raise
        return socket

    def _outlets(self) -> OrderedDict[Peer, _Outlet]:
        """Return this thread's sockets by peer, the longest unused first."""
        if not hasattr(self._own, "outlets"):
            self._own.outlets = OrderedDict()
        outlets: OrderedDict[Peer, _Outlet] = self._own.outlets
        return outlets


def _logged(message: Message) -> AbstractContextManager[None]:
    """Have a line on a message carry the id of the request that it speaks of, if of one."""
    request_id = getattr(message, "request_id", None)
    return logged(request_id) if request_id else nullcontext()


def _close_idle(outlets: OrderedDict[Peer, _Outlet], now: float) -> None:
    while outlets and now - next(iter(outlets.values())).used_at > _IDLE_SECONDS:
        outlets.popitem(last=False)[1].socket.close(linger=0)


class Received(NamedTuple):
    """A message's frames, and the key of whoever sent it, in Z85; empty where all is plain."""

    frames: list[bytes]
    key: bytes


class Inlet:
    """A bound PULL socket that another thread, or a signal handler, can wake.

    With CURVE, a context has one of them.
    """

    def __init__(self, context: Context, address: str, curve: Curve | None = None) -> None:
        self.curve = curve
        self._socket = context.socket(zmq.PULL)
        self._socket.set_hwm(limits.QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.MAXMSGSIZE, limits.MAX_MESSAGE_BYTES + CURVE_BYTES)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._waking = threading.RLock()  # a signal may come while this thread has it
        self._doorkeeper: Doorkeeper | None = None
        try:
            if curve is not None:
                self._doorkeeper = curve.serve(context, self._socket)
            self._socket.bind(address)
        except zmq.ZMQError:
            self.close()  # else the context could not be ended
            raise
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._wake, zmq.POLLIN)

    def wake(self) -> None:
        """Make a waiting ``receive`` return; may be called from any thread and from signals, also
        when all is closed.
        """
        with self._waking:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def receive(self, timeout_ms: int, most: int) -> list[Received]:
        """Return up to ``most`` messages that are there; where there is none, wait for one.

        One that is waited for is returned by itself: to look in vain for another would cost its
        sender more time than it takes to be sent.
        """
        return self._there(most) or self._waited_for(timeout_ms)

    def _there(self, most: int) -> list[Received]:
        received: list[Received] = []
        with suppress(zmq.Again):
            while len(received) < most:
                received.append(self._next())
        return received

    def _waited_for(self, timeout_ms: int) -> list[Received]:
        ready = dict(self._poller.poll(timeout_ms))
        if self._wake in ready:
            os.eventfd_read(self._wake)
        return self._there(1) if self._socket in ready else []

    def _next(self) -> Received:
        if self.curve is None:
            return Received(self._socket.recv_multipart(zmq.DONTWAIT), b"")
        frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
        return Received([frame.bytes for frame in frames], str(frames[0]["User-Id"]).encode())

    def close(self) -> None:
        """Free the address at once."""
        self._socket.close(linger=0)
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        with self._waking:
            descriptor, self._wake = self._wake, -1
            if descriptor >= 0:
                os.close(descriptor)
