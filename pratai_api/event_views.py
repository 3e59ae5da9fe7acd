"""Events and subscriptions as clients see them; see ``views``."""

from collections.abc import Collection
from typing import Any, Literal

from pratai_api.views import Time, View, time
from pratai_common import records
from pratai_common.clock import iso

SourceStatus = Literal["running", "failing", "connecting", "standby"]
_STATUSES: tuple[SourceStatus, ...] = ("running", "failing", "connecting", "standby")
"""What is said of a source in several agents: the first of these that holds for one."""


class SourceState(View, frozen=True, kw_only=True):
    """How an event's source stands in one agent. ``error`` is what went wrong last, at
    ``error_at``. ``received`` and ``dead`` count what came and what could not be taken,
    ``without_id`` what came without an id of its own, so that it may run a function twice.
    """

    state: SourceStatus
    since: Time
    error: str | None
    error_at: Time | None
    note: str | None
    received: int
    dead: int
    without_id: int


class Event(View, frozen=True, kw_only=True):
    """A named topic of a project, and where what happens on it comes from. ``source_state`` is by
    the agents that live, ``status`` what is to be said of them all: ``active`` where nothing but
    the API publishes on it.
    """

    event_id: str
    project_id: str
    tenant_id: str
    user_id: str
    name: str
    description: str
    source: str
    settings: dict[str, Any]
    has_password: bool
    all_projects: bool
    enabled: bool
    status: SourceStatus | Literal["active", "disabled"]
    source_state: dict[str, SourceState]
    created_at: Time
    updated_at: Time


class Events(View, frozen=True, kw_only=True):
    """A page of events."""

    events: list[Event]
    next: str | None


class PublishedOccurrence(View, frozen=True, kw_only=True):
    """What was published, by its id as CloudEvents have it, and the requests that it caused."""

    id: str
    request_ids: list[str]


class Published(View, frozen=True, kw_only=True):
    """The requests that were caused, all together and by what was published."""

    request_ids: list[str]
    event_id: str
    published: list[PublishedOccurrence]


class Subscription(View, frozen=True, kw_only=True):
    """A function's interest in an event. ``frequency`` is in minutes. What its kind does not have
    is null.
    """

    subscription_id: str
    function_id: str
    project_id: str
    tenant_id: str
    kind: str
    event_id: str | None
    outcome: str | None
    filter: dict[str, Any] | None
    frequency: float | None
    cron: str | None
    timezone: str | None
    misfire: str | None
    enabled: bool
    created_at: Time
    updated_at: Time


class Subscriptions(View, frozen=True, kw_only=True):
    """A function's subscriptions."""

    subscriptions: list[Subscription]
    next: str | None


def event(record: records.Event, agents: Collection[str]) -> Event:
    """Return an event, where these agents live."""
    states = {each: _state(record.states[each]) for each in sorted(record.states) if each in agents}
    return Event(
        event_id=record.event_id,
        project_id=record.project_id,
        tenant_id=record.project_id,
        user_id=record.user_id,
        name=record.name,
        description=record.description,
        source=record.source,
        settings=record.settings,
        has_password=record.sealed is not None,
        all_projects=record.all_projects,
        enabled=record.enabled,
        status=_status(record, {each.state for each in states.values()}),
        source_state=states,
        created_at=time(record.created_at),
        updated_at=time(record.updated_at),
    )


def _status(
    record: records.Event, states: set[SourceStatus]
) -> SourceStatus | Literal["active", "disabled"]:
    if not record.enabled:
        return "disabled"
    if record.source == records.PUBLISHED:
        return "active"
    return next((each for each in _STATUSES if each in states), "connecting")


def _state(record: records.SourceState) -> SourceState:
    return SourceState(
        state=record.state,
        since=time(record.since),
        error=record.error,
        error_at=iso(record.error_at),
        note=record.note,
        received=record.received,
        dead=record.dead,
        without_id=record.without_id,
    )


def subscription(record: records.Subscription) -> Subscription:
    """Return a subscription."""
    timer = record.kind == "timer"
    updated = record.created_at if record.updated_at is None else record.updated_at
    return Subscription(
        subscription_id=record.subscription_id,
        function_id=record.function_id,
        project_id=record.project_id,
        tenant_id=record.project_id,
        kind=record.kind,
        event_id=record.event_id,
        outcome=record.outcome if record.kind == "response" else None,
        filter=record.filter,
        frequency=None if record.frequency_ms is None else record.frequency_ms / 60_000,
        cron=record.cron,
        timezone=record.timezone if timer else None,
        misfire=record.misfire if timer else None,
        enabled=record.enabled,
        created_at=time(record.created_at),
        updated_at=time(updated),
    )
