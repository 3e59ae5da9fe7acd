"""The settings that the client's methods take by name. What is not given stays as it is, or is what
the API documents as the default.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict


class FunctionSettings(TypedDict, total=False):
    """Settings of a function. ``memory`` is in MB, ``timeout`` and ``max_age`` in seconds.

    ``secrets`` are of the form ``{"name": "db", "file": "db"}``, ``trust`` of ``{"roles":
    ["member"]}``; ``on_failure`` is the id of an event.
    """

    description: str
    type: str
    memory: int
    cpus: float
    timeout: int
    isolation: str
    spares: int | None
    network: str
    public: bool
    shared_with: Sequence[str]
    auth: str
    auth_secret: str | None
    rate_limit: int | None
    limit: int | None
    environment: Mapping[str, str]
    secrets: Sequence[Mapping[str, str]]
    trust: Mapping[str, Any] | None
    retries: int
    max_age: int | None
    on_failure: str | None
    enabled: bool


class NewFunction(FunctionSettings, total=False):
    """Settings of a function that is made, and of what runs it at first: ``frequency`` is in
    minutes, ``subscribe_to`` are ids.
    """

    runtime: str
    event: str
    subscribe_to: Sequence[str]
    filter: Mapping[str, Any] | None
    frequency: float | None
    cron: str | None
    timezone: str
    misfire: str


class FunctionChanges(FunctionSettings, total=False):
    """What may change of a function; ``version`` is one that was built, to serve from now on."""

    name: str
    version: int
    rotate_endpoint: bool


class SubscriptionSettings(TypedDict, total=False):
    """Settings of a subscription; ``kind`` and ``event_id`` are those of a new one."""

    kind: str
    event_id: str
    outcome: str
    filter: Mapping[str, Any] | None
    frequency: float | None
    cron: str | None
    timezone: str
    misfire: str
    enabled: bool


class EventSettings(TypedDict, total=False):
    """Settings of an event; what stands in ``settings`` its ``source`` says."""

    name: str
    description: str
    source: str
    settings: Mapping[str, Any]
    password: str | None
    all_projects: bool
    enabled: bool


class KeySettings(TypedDict, total=False):
    """Settings of an API key."""

    function_id: str | None
    expires_at: datetime | None
