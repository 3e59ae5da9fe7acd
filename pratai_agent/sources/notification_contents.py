"""What a notification of oslo.messaging says, in its envelope (version 2) or without one.

The context of the call that caused it, which may hold more than its reader is to know, is not
passed on but for who called.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from amqp.basic_message import Message

from pratai_agent.sources.base import Happened
from pratai_agent.sources.message_contents import bytes_of
from pratai_agent.sources.queues import UnreadableError
from pratai_common.decoding import from_json

_OWNER_FIELDS = ("project_id", "tenant_id")
"""Where payloads say whose what they tell of is: at their top, or one level below, as in Neutron's
``{"port": {...}}`` and Nova's ``{"nova_object.data": {...}}``. Glance's have ``owner`` at the top.
"""


class Notification(msgspec.Struct, frozen=True):
    """A notification as its service sent it."""

    event_type: str
    publisher_id: str | None = None
    priority: str | None = None
    timestamp: str = ""
    payload: Any = None
    message_id: str | None = None
    unique_id: str | None = msgspec.field(name="_unique_id", default=None)
    context_project: str | None = msgspec.field(name="_context_project_id", default=None)
    context_tenant: str | None = msgspec.field(name="_context_tenant", default=None)
    context_user: str | None = msgspec.field(name="_context_user_id", default=None)
    context_old_user: str | None = msgspec.field(name="_context_user", default=None)

    @property
    def caller_project(self) -> str | None:
        """Return the project for which the call was made that caused it, where that is told."""
        return self.context_project or self.context_tenant

    def is_of(self, project_id: str) -> bool:
        """Say whether it is a project's own: all that its payload says is whose is so, and where
        that says nothing, the call was made for the project.
        """
        owners = _owners(self.payload)
        return owners == {project_id} if owners else self.caller_project == project_id

    def happened(self) -> Happened:
        """Return what a function gets of it; raises UnreadableError where it has no id."""
        name = self.message_id or self.unique_id
        if not name:
            raise UnreadableError("the notification has no id")
        data = {
            "event_type": self.event_type,
            "publisher_id": self.publisher_id,
            "priority": self.priority,
            "timestamp": self.timestamp,
            "project_id": self.caller_project,
            "user_id": self.context_user or self.context_old_user,
            "payload": self.payload,
        }
        known = {"source": self.publisher_id, "time": _time(self.timestamp)}
        attributes = {key: value for key, value in known.items() if value}
        attributes["type"] = self.event_type
        return Happened(name, msgspec.json.encode(data), attributes)


class _Envelope(msgspec.Struct):
    message: str | None = msgspec.field(name="oslo.message", default=None)


def parsed(message: Message) -> Notification:
    """Return the notification that a message carries; raises UnreadableError."""
    body = bytes_of(message)
    try:
        envelope = from_json(body, _Envelope)
        text = body if envelope.message is None else envelope.message
        return from_json(text, Notification)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"it is no notification: {error}") from error


def _owners(payload: Any) -> set[str]:
    if not isinstance(payload, dict):
        return set()
    below = [each for each in payload.values() if isinstance(each, dict)]
    named = [each.get(field) for each in (payload, *below) for field in _OWNER_FIELDS]
    return {each for each in (payload.get("owner"), *named) if isinstance(each, str) and each}


def _time(text: str) -> str | None:
    """Return a service's time, UTC, as RFC 3339 has it; services write theirs without a zone."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter of a day that UTC has beyond the calendar
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
