"""Who may connect: the handler that libzmq asks about each key (ZAP, ZeroMQ's RFC 27).

``zmq.auth`` refuses with status 400: a client of libzmq gives a connection up for good then, and a
node whose key is put into the folder later would have to be restarted. With 300 nobody is told
anything, the handshake times out, and the client tries again.
"""

import logging
import os
import threading
from collections.abc import Callable

import zmq
from zmq.utils import z85

from pratai_common.ration import Ration

LOG = logging.getLogger(__name__)
HANDSHAKE_MS = 2000
"""A handshake may take so long; who was refused tries again after that."""

_ENDPOINT = "inproc://zeromq.zap.01"
_MOST_REMEMBERED = 1000
Objection = Callable[[bytes], str | None]
"""Says why a key is refused, ``None`` where it is not."""


class Doorkeeper:
    """Answers in a thread of its own, for all sockets of a context. ``objection`` is asked there.

    Whom it admits, their messages carry: the key in Z85, as libzmq's property ``User-Id``.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], objection: Objection) -> None:
        self._objection = objection
        self._refused: set[tuple[bytes, str]] = set()
        self._ration = Ration()
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        try:
            self._socket.bind(_ENDPOINT)
        except zmq.ZMQError:
            self._socket.close()  # else the context could not be ended
            raise
        self._ended = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="doorkeeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. Nobody else can connect from then on."""
        os.eventfd_write(self._ended, 1)
        self._thread.join()
        self._socket.close()
        os.close(self._ended)

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._ended, zmq.POLLIN)
        while self._ended not in dict(poller.poll()):
            try:
                request = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                continue
            self._socket.send_multipart(self._answer(request))

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Return an answer whatever happens: without one nobody could connect any more."""
        key = b""
        try:
            key = self._admitted(request)
        except Exception:  # of whatever kind: this thread is the only one, and has to live
            if (suffix := self._ration.take()) is not None:
                LOG.exception("who wants to connect was refused%s", suffix)
        code, text = (b"200", b"OK") if key else (b"300", b"not admitted")
        return [*request[:2], code, text, key, b""]

    def _admitted(self, request: list[bytes]) -> bytes:
        """Return the key of whoever may connect, in Z85; an empty one where they may not."""
        _version, _id, _domain, address, _identity, mechanism, *credentials = request
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        objection = self._objection(key) if key else "is none"
        if objection is not None:
            self._note(key, address, objection)
            return b""
        return key

    def _note(self, key: bytes, address: bytes, why: str) -> None:
        """Log a refusal, once while it is one of not too many: strangers try again and again."""
        if (key, why) in self._refused:
            return
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused.add((key, why))
        if (suffix := self._ration.take()) is not None:
            LOG.warning("refused %s: its key %s %s%s", address.decode(), key.decode(), why, suffix)
