"""Connections to brokers of AMQP 0.9.1, which may be anybody's: what one sends is bounded, and what
goes wrong becomes a SourceError that its owner may read.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import kombu
from amqp.exceptions import AccessRefused, AMQPError, UnexpectedFrame
from amqp.transport import SSLTransport, TCPTransport
from kombu.transport import pyamqp

from pratai_agent.sources.base import SourceError
from pratai_agent.sources.frames import BoundedFrames
from pratai_common import limits

LOG = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10
"""A broker that was silent for twice as long is gone."""

_ANSWER_SECONDS = 20
_MAX_FRAME_BYTES = 8 * limits.MIB


class Broker(NamedTuple):
    """Where a broker is, and who we are there. ``address`` is what is connected to in place of the
    name ``host``; ``ca_bundle`` names a file of certificates to trust in place of the system's.
    """

    host: str
    port: int
    virtual_host: str
    username: str
    password: str | None
    address: str
    tls: bool = False
    ca_bundle: str | None = None

    def __str__(self) -> str:
        return f"the broker at {self.host}:{self.port}"


@contextmanager
def connected(broker: Broker, heartbeat: int = HEARTBEAT_SECONDS) -> Iterator[pyamqp.Connection]:
    """Connect for as long as the block runs. Whatever the broker, or the way to it, has to say
    there is raised as SourceError.
    """
    with _told(broker):
        connection = _login(broker, heartbeat)
        try:
            allow(connection, _ANSWER_SECONDS)
            yield connection
            allow(connection, _ANSWER_SECONDS)
            connection.close()
        finally:
            connection.collect()


def allow(connection: pyamqp.Connection, seconds: float) -> None:
    """Let the broker take so long, from now on, for all that is read of it until this is called
    again; what comes late raises TimeoutError.
    """
    connection.transport.ends = time.monotonic() + seconds


@contextmanager
def beating(connection: pyamqp.Connection) -> Iterator[None]:
    """Tell the broker that we live, while the block is busy with something else."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(connection, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(connection: pyamqp.Connection, ended: threading.Event) -> None:
    while not ended.wait(connection.heartbeat / 3):
        try:
            connection.send_heartbeat()
        except (AMQPError, OSError) as error:  # whoever uses the connection next will be told
            LOG.debug("no heartbeat could be sent: %s", error)
            return


@contextmanager
def _told(broker: Broker) -> Iterator[None]:
    try:
        yield
    except AMQPError as error:
        raise SourceError(f"{broker} says: {error.reply_text or error}") from error
    except ssl.SSLCertVerificationError as error:
        raise SourceError(f"{broker} is not trusted: {error.verify_message}") from error
    except TimeoutError as error:
        raise SourceError(f"{broker} does not answer") from error
    except OSError as error:
        raise SourceError(f"{broker} cannot be reached: {error.strerror or error}") from error


def _login(broker: Broker, heartbeat: int) -> pyamqp.Connection:
    """Connect once: kombu's own ways to do so try again, where nobody is told."""
    address = f"[{broker.address}]" if ":" in broker.address else broker.address
    client = kombu.Connection(
        hostname=address,
        port=broker.port,
        virtual_host=broker.virtual_host,
        userid=broker.username,
        password=broker.password,
        login_method="PLAIN",
        ssl=_tls(broker),
        transport=_Transport,
        heartbeat=heartbeat,
        connect_timeout=_ANSWER_SECONDS,
        transport_options={
            "read_timeout": _ANSWER_SECONDS,
            "write_timeout": _ANSWER_SECONDS,
            "socket_settings": {socket.TCP_USER_TIMEOUT: _ANSWER_SECONDS * 1000},
            "frame_handler": BoundedFrames,
        },
    )
    try:
        return client.transport.establish_connection()
    except AccessRefused as error:
        raise SourceError(f"{broker} does not accept the user {broker.username}") from error


def _tls(broker: Broker) -> dict[str, Any] | bool:
    if not broker.tls:
        return False
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": broker.host,
        "ca_certs": broker.ca_bundle,
    }


class _BoundedReads:
    """What a frame says is its size is what would be kept in memory of it. What is not there at
    ``ends``, of the monotonic clock, is not waited for, however much comes meanwhile.
    """

    ends = 0.0
    _quick_recv: Callable[[int], bytes]

    def _setup_transport(self) -> None:
        super()._setup_transport()  # type: ignore[misc]  # of a mixin
        receive = self._quick_recv

        def in_time(count: int) -> bytes:
            if time.monotonic() > self.ends:
                raise TimeoutError
            return receive(count)

        self._quick_recv = in_time

    def _read(self, count: int, initial: bool = False) -> bytes:
        if count > _MAX_FRAME_BYTES:
            raise UnexpectedFrame(f"a frame of {count} bytes")
        content: bytes = super()._read(count, initial)  # type: ignore[misc]  # of a mixin
        return content


class _Plain(_BoundedReads, TCPTransport):  # type: ignore[misc]  # amqp has no types
    """TCP."""


class _Secure(_BoundedReads, SSLTransport):  # type: ignore[misc]  # amqp has no types
    """TLS over TCP."""


class _Connection(pyamqp.Connection):  # type: ignore[misc]  # kombu has no types
    def Transport(  # noqa: N802
        self, host: str, connect_timeout: float, ssl: Any = False, *timeouts: Any, **options: Any
    ) -> Any:
        """Return the way to the broker, which has so long for all of the login."""
        read_timeout, write_timeout = timeouts
        way = (_Secure if ssl else _Plain)(
            host,
            connect_timeout=connect_timeout,
            ssl=ssl,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            **options,
        )
        way.ends = time.monotonic() + connect_timeout
        return way


class _Transport(pyamqp.Transport):  # type: ignore[misc]  # kombu has no types
    Connection = _Connection
