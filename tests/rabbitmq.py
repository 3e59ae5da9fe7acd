"""The real RabbitMQ as tests use it: what others do on it, and what befalls it."""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import amqp
from amqp.exceptions import NotFound
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from tests.services import AWAY_SECONDS, Service
from tests.waiting import until


class RabbitMQ:
    """One server, and its first user, ``pratai``, whose ``password`` is random. By TLS, it is
    ``localhost`` to those who trust ``ca``.
    """

    host = "127.0.0.1"
    username = "pratai"

    def __init__(self) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.service = Service("rabbitmq", port=self.port)
        self.ca = write_certificate(self.service.folder)
        self.start()
        self.password = (self.service.folder / "password").read_text().strip()

    def start(self) -> None:
        self.service.start(PRATAI_RABBITMQ_TLS_PORT=str(self.tls_port))

    @contextmanager
    def channel(self, *, confirm: bool = True) -> Iterator[Any]:
        """A channel on a connection of its own; each message published is confirmed, or none."""
        connection = amqp.Connection(
            f"{self.host}:{self.port}", self.username, self.password, confirm_publish=confirm
        )
        try:
            with connection, connection.channel() as channel:
                yield channel
        finally:
            connection.collect()  # by itself it closes its socket after some failures alone

    def queue(self, **arguments: Any) -> str:
        """Return the name of a new durable queue."""
        name = f"queue-{uuid.uuid4().hex[:12]}"
        with self.channel() as channel:
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
        return name

    def exchange(self, name: str | None = None) -> str:
        """Return the name of a new exchange, of the kind that oslo.messaging declares."""
        name = name or f"exchange-{uuid.uuid4().hex[:12]}"
        with self.channel() as channel:
            channel.exchange_declare(name, "topic", durable=False, auto_delete=False)
        return name

    def publish(self, key: str, *bodies: bytes, exchange: str = "", **properties: Any) -> None:
        """Publish persistent messages, by default into the queue ``key``; returns when the broker
        has them.
        """
        self.publish_all(key, ((each, properties) for each in bodies), exchange)

    def publish_all(
        self, key: str, messages: Iterable[tuple[bytes, dict[str, Any]]], exchange: str = ""
    ) -> None:
        """Publish persistent messages with the properties of each; an exchange may forget them."""
        with self.channel() as channel:
            for body, properties in messages:
                message = amqp.Message(body, **{"delivery_mode": 2, **properties})
                channel.basic_publish(message, exchange, key, mandatory=not exchange)

    def fill(self, queue: str, messages: Sequence[tuple[bytes, dict[str, Any]]]) -> None:
        """Publish many messages; returns when all are in the queue."""
        with self.channel(confirm=False) as channel:
            for body, properties in messages:
                channel.basic_publish(amqp.Message(body, delivery_mode=2, **properties), "", queue)
        until(lambda: self.depth(queue) == len(messages), "all are in the queue")

    def depth(self, queue: str) -> int | None:
        """Return how many messages are in a queue that nobody has yet, ``None`` for no queue."""
        with self.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return None

    def taken(self, queue: str) -> Any:
        """Return the first message of a queue, which is no longer there then."""
        with self.channel() as channel:
            return channel.basic_get(queue, no_ack=True)

    def delete(self, queue: str) -> None:
        with self.channel() as channel:
            channel.queue_delete(queue)

    def kill(self) -> None:
        """End it as a loss of power would; after PRATAI_AWAY_SECONDS start it again."""
        self.service.kill()
        time.sleep(AWAY_SECONDS)
        self.start()


def write_certificate(folder: Path) -> Path:
    """Write a certificate for ``localhost`` and its key; returns what it is verified by: itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path
