"""What an audit event looks like: CADF 1.0 (DMTF DSP0262), as OpenStack's services send it. Pure.

pyCADF makes the same of the same values at twenty-five times the cost, and warns of each id that is
no UUID; the tests hold these shapes against it.
"""

import random
import uuid
from datetime import UTC, datetime
from typing import Literal

import msgspec

USER = "service/security/account/user"
NOBODY = "anonymous"
UNKNOWN = "unknown"
_ACTIONS = {
    "call": "start",
    "cancel": "stop",
    "get": "read",
    "publish": "send",
    "replay": "start",
    "stop": "stop",
    "create": "create",
    "update": "update",
    "delete": "delete",
}


class Host(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a call came from, as far as the API can tell."""

    address: str | None = None
    agent: str | None = None


class Resource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who does something, what is done to, or who tells of it. ``project_id`` is OpenStack's."""

    typeURI: str  # noqa: N815 - CADF's names
    id: str
    name: str | None = None
    project_id: str | None = None
    host: Host | None = None


class Reason(msgspec.Struct, frozen=True):
    """The status of the answer."""

    reasonCode: str  # noqa: N815
    reasonType: str = "HTTP"  # noqa: N815


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody did something, or wanted to."""

    typeURI: str = "http://schemas.dmtf.org/cloud/audit/1.0/event"  # noqa: N815
    eventType: str = "activity"  # noqa: N815
    id: str
    eventTime: str  # noqa: N815
    action: str
    outcome: Literal["success", "failure"]
    initiator: Resource
    target: Resource
    observer: Resource
    reason: Reason
    requestPath: str  # noqa: N815
    tags: list[str] = []


def action(rule: str, method: str) -> str:
    """Return what is done, in CADF's words, by a rule of the policy such as ``function:create``."""
    default = {"POST": "create", "PATCH": "update", "DELETE": "delete"}.get(method, "start")
    return _ACTIONS.get(rule.rpartition(":")[2], default)


def type_of(rule: str) -> str:
    """Return the type of what a rule is about."""
    return f"service/function/{rule.partition(':')[0]}"


def new_id() -> str:
    """Return an id that no other event has."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def time_of(milliseconds: int) -> str:
    """Return a moment as pyCADF writes it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f%z")
