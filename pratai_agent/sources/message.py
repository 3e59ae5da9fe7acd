"""Messages of a queue of AMQP 0.9.1, the users' own: see ``MessageSettings``."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from amqp.basic_message import Message
from amqp.exceptions import NotFound
from kombu.transport import pyamqp

from pratai_agent.networks import resolved
from pratai_agent.sources.amqp import Broker, connected
from pratai_agent.sources.base import Happened, SourceError
from pratai_agent.sources.message_contents import happened
from pratai_agent.sources.putting_aside import SUFFIX, delete_queue
from pratai_agent.sources.queues import QueueSource
from pratai_common.decoding import convert
from pratai_common.event_settings import MessageSettings


class MessageSource(QueueSource):
    """Reads a queue that is there, or one of its own that is bound to an exchange that is."""

    @cached_property
    def settings(self) -> MessageSettings:
        """Return where messages come from."""
        return convert(self.event.settings, MessageSettings)

    @property
    def max_deliveries(self) -> int:
        """See QueueSource."""
        return self.settings.max_deliveries

    def broker(self) -> Broker:
        """See QueueSource."""
        settings = self.settings
        return Broker(
            host=settings.host,
            port=settings.port,
            virtual_host=settings.virtual_host,
            username=settings.username,
            password=self.secret,
            address=resolved(self.conf, settings.host, settings.port),
            tls=settings.tls,
        )

    def queue(self, connection: pyamqp.Connection) -> str:
        """See QueueSource. Nothing but the queue of its own is made."""
        channel = connection.channel()
        if self.settings.queue is not None:
            with _wanted(f"queue {self.settings.queue}"):
                channel.queue_declare(self.settings.queue, passive=True)
            channel.close()
            return self.settings.queue
        with _wanted(f"exchange {self.settings.exchange}"):
            channel.exchange_declare(self.settings.exchange, "", passive=True)
        channel.queue_declare(self.own_queue, durable=True, auto_delete=False)
        channel.queue_bind(self.own_queue, self.settings.exchange, self.settings.routing_key)
        channel.close()
        return self.own_queue

    def read(self, message: Message) -> Happened:
        """See QueueSource."""
        return happened(message)

    def clean(self) -> None:
        """See Source. A user's queue is theirs, and what was put aside may be wanted."""
        with connected(self.broker()) as connection:
            delete_queue(connection, self.own_queue)  # also of former settings
            delete_queue(
                connection, (self.settings.queue or self.own_queue) + SUFFIX, if_empty=True
            )


@contextmanager
def _wanted(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise SourceError(f"the broker has no {what}") from error
