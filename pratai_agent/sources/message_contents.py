"""What a message of AMQP 0.9.1 says: its data as JSON text, its id, and what CloudEvents names.

JSON is what its content type says is JSON. Everything else becomes a JSON string: text as it is,
other bytes in base64, as bodies of webhooks do. A message may be a CloudEvent in the binary mode of
the binding to AMQP.
"""

import base64
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from amqp.basic_message import Message
from cloudevents.core.bindings.amqp import AMQPMessage, from_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import REQUIRED_ATTRIBUTES, CloudEvent

from pratai_agent.sources.base import Happened
from pratai_agent.sources.queues import UnreadableError
from pratai_common import limits
from pratai_common.clock import iso
from pratai_common.decoding import from_json

_CLOUD_EVENT_PREFIXES = ("cloudEvents:", "cloudEvents_")
_OSLO_MARK = b"_unique_id"


def happened(message: Message) -> Happened:
    """Return what a message tells; raises UnreadableError.

    Its id is the property ``message_id``, else that of the CloudEvent, else what oslo.messaging
    put into it; where it has none of these, one is made up.
    """
    content = _content(message)
    cloud_event = _cloud_event(message)
    name = _id(message, cloud_event)
    attributes = {**_attributes(message), **content.described, **cloud_event}
    if len(msgspec.json.encode(attributes)) > limits.MAX_HOOK_HEADERS_BYTES:
        most = limits.MAX_HOOK_HEADERS_BYTES
        raise UnreadableError(f"the attributes of the CloudEvent are larger than {most} bytes")
    return Happened(name or str(uuid.uuid4()), content.payload, attributes, own_id=bool(name))


class _Content(NamedTuple):
    payload: bytes
    described: dict[str, str]


def _content(message: Message) -> _Content:
    body = bytes_of(message)
    if not body:
        return _Content(b"null", {})
    if _is_json(message.properties.get("content_type", "")):
        check_json(body)
        return _Content(body, {})
    try:
        text, described = body.decode(), {}
    except UnicodeDecodeError:
        text, described = base64.b64encode(body).decode(), {"datacontentencoding": "base64"}
    payload = msgspec.json.encode(text)
    _check_size(payload, "as a JSON string, it")
    return _Content(payload, described)


def bytes_of(message: Message) -> bytes:
    """Return the body of a message; raises UnreadableError where it is too large."""
    body: bytes = message.body
    _check_size(body, "it")
    return body


def check_json(text: bytes) -> None:
    """Raise UnreadableError for what is no JSON."""
    try:
        text.decode()  # what is kept undecoded must be sound too
        from_json(text, msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"it says that it is JSON, and is not: {error}") from error


def _check_size(content: bytes, what: str) -> None:
    if len(content) > limits.MAX_BODY_BYTES:
        most = limits.MAX_BODY_BYTES
        raise UnreadableError(f"{what} has {len(content)} bytes, of {most} that one may have")


def _is_json(content_type: str) -> bool:
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _id(message: Message, cloud_event: Mapping[str, Any]) -> str | None:
    if name := message.properties.get("message_id"):
        return str(name)
    if cloud_event:
        pair = msgspec.json.encode((cloud_event["source"], cloud_event["id"]))
        return f"ce:{pair.decode()}"
    return _oslo_id(message.body)


class _Oslo(msgspec.Struct):
    """What oslo.messaging sends: in an envelope, or without one."""

    envelope: str | None = msgspec.field(name="oslo.message", default=None)
    unique_id: str | None = msgspec.field(name="_unique_id", default=None)
    message_id: str | None = None


def _oslo_id(body: bytes) -> str | None:
    """Return the id of a notification, which stays the same when it is sent again, or of what else
    oslo.messaging sent.
    """
    if _OSLO_MARK not in body:
        return None
    try:
        found = from_json(body, _Oslo)
        if found.envelope is not None:
            found = from_json(found.envelope, _Oslo)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return found.unique_id and (found.message_id or found.unique_id)


def _attributes(message: Message) -> dict[str, Any]:
    properties = message.properties
    found = {
        "type": properties.get("type") or "pratai.message",
        "subject": message.delivery_info["routing_key"],
        "time": _time(properties.get("timestamp")),
        "datacontenttype": properties.get("content_type"),
    }
    return {name: value for name, value in found.items() if value}


def _time(seconds: Any) -> str | None:
    """Return a time that is one; producers write there what they like."""
    try:
        return iso(int(seconds) * 1000)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _cloud_event(message: Message) -> dict[str, Any]:
    """Return the attributes of a CloudEvent, none where it is none; raises UnreadableError."""
    headers = message.headers or {}
    named = {
        name.removeprefix(prefix): name
        for prefix in _CLOUD_EVENT_PREFIXES
        for name in headers
        if name.startswith(prefix)
    }
    if not named:
        return {}
    if missing := [name for name in REQUIRED_ATTRIBUTES if name not in named]:
        raise UnreadableError(f"it is no CloudEvent: it has no {', '.join(missing)}")
    shown = AMQPMessage({}, {name: headers[name] for name in named.values()}, b"")
    try:
        event: Any = from_binary(shown, JSONFormat(), CloudEvent)
    except CloudEventValidationError as error:
        wrong = "; ".join(str(each[0]) for each in error.errors.values())
        raise UnreadableError(f"it is no CloudEvent: {wrong}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(f"it is no CloudEvent: time: {error}") from error
    found = msgspec.to_builtins(event.get_attributes())
    return {name: _plain(name, value) for name, value in found.items() if name in named}


def _plain(name: str, value: Any) -> str | int:
    if not isinstance(value, str | int):
        raise UnreadableError(f"it is no CloudEvent: {name}: neither text nor an integer")
    return value
