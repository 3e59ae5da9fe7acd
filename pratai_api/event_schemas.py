"""What clients may send of events and subscriptions; see ``schemas``."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pratai_api.schemas import (
    Anything,
    Cron,
    Description,
    Filter,
    Frequency,
    Id,
    Misfire,
    Moment,
    Name,
    Outcome,
    PageQuery,
    Timezone,
)
from pratai_common import limits
from pratai_common.records import PUBLISHED

Password = Annotated[str, Meta(min_length=1, max_length=1024)]


class EventCreate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new event. Which ``settings`` there are depends on ``source``; ``password`` goes with them
    and is never shown. ``all_projects`` is for administrators.
    """

    name: Name
    description: Description = ""
    source: str = PUBLISHED
    settings: dict[str, Any] = {}
    password: Password | None = None
    all_projects: bool = False
    enabled: bool = True


class EventUpdate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may change of an event; what is not named stays. ``settings`` are replaced as a whole,
    and with them the password, if there is one.
    """

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class EventsQuery(PageQuery, kw_only=True):
    """Which events a list holds, and in which order; ``all_projects`` is for administrators."""

    all_projects: bool = False
    sort: Literal["created_at:desc", "created_at:asc", "name:asc", "name:desc"] = "created_at:desc"
    name: str | UnsetType = UNSET
    source: str | UnsetType = UNSET


class PublishQuery(msgspec.Struct, kw_only=True):
    """What is published runs functions at ``not_before`` at the earliest."""

    not_before: Moment | UnsetType = UNSET


class WebhookSubscription(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="webhook", tag_field="kind"
):
    """A new subscription to calls of the function's endpoint."""

    frequency: None = None
    enabled: bool = True


class TimerSubscription(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="timer", tag_field="kind"
):
    """A new subscription to a timer: ``frequency`` in minutes, or ``cron`` as clocks show it in
    ``timezone``. ``misfire`` says which of the ticks that nobody fired in time are made up for.
    """

    frequency: Frequency | None = None
    cron: Cron | None = None
    timezone: Timezone = "UTC"
    misfire: Misfire = "once"
    enabled: bool = True


class MessageSubscription(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="message", tag_field="kind"
):
    """A new subscription to an event: to that of its data which matches ``filter``."""

    event_id: Id
    filter: Filter | None = None
    enabled: bool = True


class ResponseSubscription(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="response", tag_field="kind"
):
    """A new subscription to how runs of the function ``event_id`` end: to those ends whose data
    matches ``filter``.
    """

    event_id: Id
    outcome: Outcome = "any"
    filter: Filter | None = None
    enabled: bool = True


NewSubscription = (
    WebhookSubscription | TimerSubscription | MessageSubscription | ResponseSubscription
)
SubscriptionCreate: Any = NewSubscription  # a union is no type[T] to mypy


class SubscriptionUpdate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may change of a subscription. ``frequency`` and ``cron`` replace each other."""

    frequency: Frequency | UnsetType = UNSET
    cron: Cron | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    misfire: Misfire | UnsetType = UNSET
    filter: Filter | UnsetType | None = UNSET
    outcome: Outcome | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

_CLOUD_EVENT: dict[str, Any] = {
    "title": "CloudEvent",
    "description": "https://github.com/cloudevents/spec; further attributes are extensions.",
    "type": "object",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "datacontenttype": {"type": ["string", "null"], "minLength": 1},
        "dataschema": {"type": ["string", "null"], "minLength": 1},
        "subject": {"type": ["string", "null"], "minLength": 1},
        "time": {"type": ["string", "null"], "format": "date-time"},
        "data": {},
        "data_base64": {"type": "string", "contentEncoding": "base64", "pattern": _BASE64},
    },
    "required": ["specversion", "id", "source", "type"],
    "not": {"required": ["data", "data_base64"]},
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "boolean", "null"]},
            {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
        ]
    },
    "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
}
"""What ``publications`` reads as one, for the document."""


class Publication(Anything):
    """What is published: data of any content type, or CloudEvents 1.0."""

    content: ClassVar[dict[str, Any]] = {
        "application/json": {},
        "text/plain": {"type": "string"},
        "application/octet-stream": {},
        "application/cloudevents+json": _CLOUD_EVENT,
        "application/cloudevents-batch+json": {
            "type": "array",
            "items": _CLOUD_EVENT,
            "maxItems": limits.MAX_BATCH_EVENTS,
        },
    }
