"""What becomes of messages that cannot be taken: they are delivered again some times, and then put
aside into a queue beside theirs, so that none is lost and none blocks those behind it.
"""

import hashlib
from collections import OrderedDict
from typing import Any

from amqp.basic_message import Message
from amqp.exceptions import NotFound, PreconditionFailed
from kombu.transport import pyamqp

from pratai_common.clock import iso, now_ms

SUFFIX = ".pratai-dead"

_MAX_COUNTED = 10_000
_CONFIRM_SECONDS = 20
_NOT_KEPT = ("expiration", "user_id")
"""Properties by which the broker would forget a message again, or refuse it from us."""

_ROUTING_HEADERS = ("CC", "BCC")
"""Headers by which RabbitMQ would send it to others, too."""


class Failures:
    """Counts how often each message could not be taken, as far as is known: quorum queues say how
    often they delivered one, of others an agent knows what it has seen itself.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def count(self, message: Message) -> int:
        """Count another failure of a message; returns how many there were, this one included."""
        name = _name(message)
        count = self._counts.pop(name, 0) + 1
        self._counts[name] = count
        if len(self._counts) > _MAX_COUNTED:
            self._counts.popitem(last=False)
        delivered = (message.headers or {}).get("x-delivery-count")
        return max(count, delivered + 1 if isinstance(delivered, int) else 0)

    def forget(self, message: Message) -> None:
        """Forget a message that comes no more."""
        self._counts.pop(_name(message), None)


def _name(message: Message) -> bytes:
    message_id = str(message.properties.get("message_id", ""))
    return hashlib.sha256(b"%s\0%s" % (message_id.encode(), message.body)).digest()


def put_aside(
    connection: pyamqp.Connection,
    queue: str,
    message: Message,
    error: str,
    arguments: dict[str, Any] | None = None,
) -> None:
    """Publish a copy of a message into the queue beside its own; the broker has it when this
    returns. ``arguments`` are those of that queue where it is made.
    """
    name = queue + SUFFIX
    _declare(connection, name, arguments)
    headers = {
        **{
            key: value
            for key, value in (message.headers or {}).items()
            if key not in _ROUTING_HEADERS
        },
        "x-pratai-error": error,
        "x-pratai-queue": queue,
        "x-pratai-exchange": message.delivery_info["exchange"],
        "x-pratai-routing-key": message.delivery_info["routing_key"],
        "x-pratai-time": iso(now_ms()),
    }
    properties = {
        key: value for key, value in message.properties.items() if key not in _NOT_KEPT
    } | {"application_headers": headers, "delivery_mode": 2}
    with connection.channel() as channel:
        channel.basic_publish_confirm(
            Message(message.body, **properties),
            routing_key=name,
            mandatory=True,
            confirm_timeout=_CONFIRM_SECONDS,
        )


def _declare(connection: pyamqp.Connection, name: str, arguments: dict[str, Any] | None) -> None:
    """Make sure that a durable queue is there; one that somebody made otherwise will do."""
    channel = connection.channel()
    try:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
    except PreconditionFailed:
        return  # which has closed the channel
    channel.close()


def delete_queue(connection: pyamqp.Connection, name: str, *, if_empty: bool = False) -> None:
    """Delete a queue; one that is not there is no error, nor is one that is kept."""
    channel = connection.channel()
    try:
        channel.queue_delete(name, if_empty=if_empty)
    except (NotFound, PreconditionFailed):
        return  # which has closed the channel
    channel.close()
