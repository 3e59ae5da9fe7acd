"""What is published on an event by HTTP: plain data, or CloudEvents 1.0 in each of their modes."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import CE_PREFIX, HTTPMessage, from_binary, from_structured
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import OPTIONAL_ATTRIBUTES, REQUIRED_ATTRIBUTES, CloudEvent
from flask import request

from pratai_api import calls, hook_bodies
from pratai_api.arguments import body, decode
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits, tracing
from pratai_common.clock import iso
from pratai_common.decoding import from_json
from pratai_common.records import PUBLISHED

_FAMILY = "application/cloudevents"
_ONE, _BATCH = f"{_FAMILY}+json", f"{_FAMILY}-batch+json"
_JSON = "application/json"
_TAKEN_FOR_JSON = ("", "application/x-www-form-urlencoded")
"""Content types of a body that is JSON all the same: that of none, and what curl says by itself."""
_TEXTS = frozenset((*REQUIRED_ATTRIBUTES, *OPTIONAL_ATTRIBUTES))
_INTEGERS = range(-(2**31), 2**31)


class Publication(NamedTuple):
    """One thing that is published. ``id`` is unique on the event, ``payload`` is JSON text, and
    ``attributes`` are those of CloudEvents. ``keyed`` says that its sender chose the id for it
    alone, so that another payload under it is a mistake.
    """

    id: str
    payload: bytes
    attributes: dict[str, Any]
    keyed: bool = False


def read(event_id: str) -> list[Publication]:
    """Return what this HTTP request publishes; raises ApiError, or RequestEntityTooLarge."""
    content = body()
    if request.mimetype == _BATCH:
        return _batch(content)
    if request.mimetype == _ONE:
        return [_structured(decode(content, dict[str, msgspec.Raw], "the body"))]
    if request.mimetype.startswith(_FAMILY):
        raise _invalid(f"of formats, {_ONE} and {_BATCH} are known, not {request.mimetype}")
    headers = {name.lower(): value for name, value in request.headers.items()}
    if any(name.startswith(CE_PREFIX) for name in headers):
        return [_binary(headers, content)]
    return [_plain(event_id, content)]


def _plain(event_id: str, content: bytes) -> Publication:
    content_type = request.mimetype
    if content and content_type in _TAKEN_FOR_JSON:
        content_type, described = _JSON, dict[str, str]()
        decode(content, msgspec.Raw, "the body")
    else:
        content, described = hook_bodies.payload(content)
    cause = calls.cause(PUBLISHED)
    attributes = {
        "specversion": "1.0",
        "id": cause.name,
        "source": f"/v1/events/{event_id}",
        "type": "pratai.published",
        "time": iso(services().clock()),
        "datacontenttype": content_type or None,
        **tracing.of_headers(request.headers.get),
        **described,
    }
    return Publication(cause.name, content, attributes, "Idempotency-Key" in request.headers)


def _batch(content: bytes) -> list[Publication]:
    found = decode(content, list[dict[str, msgspec.Raw]], "the body")
    if len(found) > limits.MAX_BATCH_EVENTS:
        message = f"a batch has at most {limits.MAX_BATCH_EVENTS} events, not {len(found)}"
        raise ApiError(413, "too_large", message)
    return [_structured(each, f"event {at}: ") for at, each in enumerate(found)]


def _structured(fields: dict[str, msgspec.Raw], where: str = "") -> Publication:
    data, encoded = fields.pop("data", None), fields.pop("data_base64", None)
    if data is not None and encoded is not None:
        raise _invalid(f"{where}it has both data and data_base64")
    values = {name: _value(name, each, where) for name, each in fields.items()}
    text = msgspec.json.encode({name: each for name, each in values.items() if each is not None})
    event = _read(from_structured, HTTPMessage({}, text), values, where)
    if encoded is None:
        return _publication(event, b"null" if data is None else bytes(data))
    content = _decoded(encoded, where)
    if JSONFormat.JSON_CONTENT_TYPE_PATTERN.match(event.get_datacontenttype() or ""):
        decode(content, msgspec.Raw, f"{where}data_base64")
        return _publication(event, content)
    return _publication(event, *hook_bodies.as_string(content))


def _binary(headers: Mapping[str, str], content: bytes) -> Publication:
    shown = {
        name: value
        for name, value in headers.items()
        if name.startswith(CE_PREFIX) or name == "content-type"
    }
    named = {name.removeprefix(CE_PREFIX): value for name, value in shown.items()}
    event = _read(from_binary, HTTPMessage(shown, b""), named, "")
    return _publication(event, *hook_bodies.payload(content))


def _read(parse: Any, message: HTTPMessage, named: Mapping[str, Any], where: str) -> BaseCloudEvent:
    """Return the event whose attributes a message has; raises ApiError.

    The library would make up an id where there is none.
    """
    missing = [name for name in REQUIRED_ATTRIBUTES if named.get(name) is None]
    if missing:
        raise _invalid(f"{where}it has no {', '.join(missing)}")
    try:
        event: BaseCloudEvent = parse(message, JSONFormat(), CloudEvent)
    except CloudEventValidationError as error:
        found = [str(each[0]) for each in error.errors.values()]
        raise _invalid(f"{where}{'; '.join(found)}") from error
    except (ValueError, OverflowError) as error:
        raise _invalid(f"{where}time: {error}") from error
    return event


def _value(name: str, raw: msgspec.Raw, where: str) -> bool | int | str | None:
    """Return the value of an attribute; raises ApiError for what none can be."""
    shape = str | None if name in _TEXTS else bool | int | str | None
    try:
        value = from_json(raw, shape)
    except msgspec.DecodeError as error:
        raise _invalid(f"{where}{name}: {error}") from error
    if isinstance(value, int) and value not in _INTEGERS:
        raise _invalid(f"{where}{name}: an integer has at most 32 bits")
    return value


def _decoded(encoded: msgspec.Raw, where: str) -> bytes:
    text = decode(bytes(encoded), str, f"{where}data_base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"{where}data_base64: {error}") from error


def _publication(
    event: BaseCloudEvent, payload: bytes, described: Mapping[str, str] | None = None
) -> Publication:
    attributes: dict[str, Any] = {
        **tracing.of_headers(request.headers.get),
        **msgspec.to_builtins(event.get_attributes()),
        **(described or {}),
    }
    if len(msgspec.json.encode(attributes)) > limits.MAX_HOOK_HEADERS_BYTES:
        message = f"the attributes are larger than {limits.MAX_HOOK_HEADERS_BYTES} bytes"
        raise ApiError(413, "too_large", message)
    name = msgspec.json.encode((event.get_source(), event.get_id())).decode()
    return Publication(f"ce:{name}", payload, attributes)


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_cloudevent", f"this is no CloudEvent: {message}")
