"""OpenStack's notifications, from the operator's broker: see ``NotificationSettings``.

Each event has a queue of its own there, bound to the exchange that the services publish on, so that
nobody else's queue is read. What a project's event tells of is the project's own.
"""

from fnmatch import fnmatchcase
from functools import cached_property

from amqp.basic_message import Message
from amqp.exceptions import NotFound
from kombu.transport import pyamqp

from pratai_agent.sources.amqp import Broker, connected
from pratai_agent.sources.base import Happened, SourceError
from pratai_agent.sources.notification_contents import Notification, parsed
from pratai_agent.sources.putting_aside import SUFFIX, delete_queue
from pratai_agent.sources.queues import QueueSource
from pratai_common import limits
from pratai_common.decoding import convert
from pratai_common.event_settings import NotificationSettings

_LOOK_SECONDS = 5.0
_HOUR_MS = 3600 * 1000
_BOUNDS = {
    "x-max-length": 10_000,
    "x-max-length-bytes": 16 * limits.MIB,
    "x-expires": _HOUR_MS,
}
"""Of an event's own queue: while no agent reads it, since the agents are away or the event is
disabled, the oldest beyond these are lost, and after an hour all. It is the broker of OpenStack
itself that would be filled. It compares them whenever the queue is declared, so they cannot be an
option.
"""

_BOUNDS_ASIDE = {**_BOUNDS, "x-max-length": 1000, "x-expires": 7 * 24 * _HOUR_MS}


class NotificationSource(QueueSource):
    """Reads a queue of its own, which it makes as soon as the exchange is there."""

    aside_arguments = _BOUNDS_ASIDE

    @cached_property
    def settings(self) -> NotificationSettings:
        """Return which notifications are wanted."""
        return convert(self.event.settings, NotificationSettings)

    @cached_property
    def routing_keys(self) -> frozenset[str]:
        """Return what the services publish the wanted ones with."""
        return frozenset(f"{self.settings.topic}.{each}" for each in self.settings.priorities)

    def broker(self) -> Broker:
        """See QueueSource. The operator's broker may be anywhere."""
        conf = self.conf.notifications
        if not conf.host:
            raise SourceError("the operator has configured no broker for notifications")
        return Broker(
            host=conf.host,
            port=conf.port,
            virtual_host=conf.virtual_host,
            username=conf.username,
            password=conf.password,
            address=conf.host,
            tls=conf.tls,
            ca_bundle=conf.ca_bundle,
        )

    def serve(self) -> None:
        """See Source."""
        while not self._exchange_is_there():
            note = f"the broker has no exchange {self.settings.exchange} yet"
            self.door.state("connecting", note)
            if self.door.wait(_LOOK_SECONDS):
                return
        super().serve()

    def queue(self, connection: pyamqp.Connection) -> str:
        """See QueueSource. The exchange is the services': how it was made is theirs to say."""
        channel = connection.channel()
        channel.queue_declare(
            self.own_queue, durable=True, auto_delete=False, arguments=dict(_BOUNDS)
        )
        for each in sorted(self.routing_keys):
            channel.queue_bind(self.own_queue, self.settings.exchange, each)
        channel.close()
        return self.own_queue

    def read(self, message: Message) -> Happened | None:
        """See QueueSource."""
        if not self._bound(message):
            return None
        notification = parsed(message)
        return notification.happened() if self._wanted(notification) else None

    def clean(self) -> None:
        """See Source."""
        with connected(self.broker()) as connection:
            delete_queue(connection, self.own_queue)
            delete_queue(connection, self.own_queue + SUFFIX)

    def _exchange_is_there(self) -> bool:
        with connected(self.broker()) as connection:
            try:
                connection.channel().exchange_declare(self.settings.exchange, "", passive=True)
            except NotFound:
                return False
        return True

    def _bound(self, message: Message) -> bool:
        """Say whether the settings still want what the queue was bound for, perhaps by former
        ones: a binding that nobody remembers cannot be undone.
        """
        route = message.delivery_info
        return route["exchange"] == self.settings.exchange and route["routing_key"] in (
            self.routing_keys
        )

    def _wanted(self, notification: Notification) -> bool:
        """Say whether it is of the type that is asked for, and the project's to see."""
        if not fnmatchcase(notification.event_type, self.settings.event_type):
            return False
        return self.event.all_projects or notification.is_of(self.event.project_id)
