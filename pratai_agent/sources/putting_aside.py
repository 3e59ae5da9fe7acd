"""What becomes of messages that cannot be taken: they are delivered again some times, and then put
aside into a queue beside theirs, so that none is lost and none blocks those behind it.
"""

import hashlib
import logging
from collections import OrderedDict
from typing import Any

from amqp.basic_message import Message
from amqp.exceptions import NotFound, PreconditionFailed
from amqp.serialization import dumps
from kombu.transport import pyamqp

from pratai_agent.sources.amqp import allow
from pratai_common.clock import iso, now_ms

LOG = logging.getLogger(__name__)
SUFFIX = ".pratai-dead"

_MAX_COUNTED = 10_000
_CONFIRM_SECONDS = 60
_OTHERS_BYTES = 4096
"""All properties but the headers have less; together they are one frame."""

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
    named = message_id.encode(errors="backslashreplace")
    return hashlib.sha256(b"%s\0%s" % (named, message.body)).digest()


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
    allow(connection, _CONFIRM_SECONDS)
    _declare(connection, name, arguments)
    told = {
        "x-pratai-error": error,
        "x-pratai-queue": queue,
        "x-pratai-exchange": message.delivery_info["exchange"],
        "x-pratai-routing-key": message.delivery_info["routing_key"],
        "x-pratai-time": iso(now_ms()),
    }
    headers = _headers(message, told, connection.frame_max - _OTHERS_BYTES)
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


def _headers(message: Message, told: dict[str, str], most: int) -> dict[str, Any]:
    """Return the headers of a message and what is told besides; this alone where the others cannot
    be written, or all would have more than ``most`` bytes.
    """
    kept = {
        key: value for key, value in (message.headers or {}).items() if key not in _ROUTING_HEADERS
    }
    try:
        written = dumps("F", [kept | told])
    except Exception as failed:  # noqa: BLE001 - py-amqp lets through what values lead to
        LOG.warning(
            "the headers of a message that is put aside cannot be kept: %s", type(failed).__name__
        )
        return told
    return kept | told if len(written) <= most else told


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
