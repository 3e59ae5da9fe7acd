"""Makes subscriptions: which events run a function, and what may be one."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from pratai_api import finding
from pratai_api.errors import ApiError
from pratai_api.event_schemas import NewSubscription, SubscriptionUpdate
from pratai_api.services import services
from pratai_common import cron, filters, limits, refusals
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Function, Subscription

_MINUTE_MS = 60_000
_KINDS = {
    "frequency": ("timer",),
    "cron": ("timer",),
    "timezone": ("timer",),
    "misfire": ("timer",),
    "filter": ("message", "response"),
    "outcome": ("response",),
}
"""The kinds of subscriptions that have a setting."""


def new(function: Function, asked: NewSubscription, others: Sequence[Subscription]) -> Subscription:
    """Return a new subscription of a function that has these others; raises ApiError for one that
    cannot be.
    """
    now, values = services().clock(), asdict(asked)
    made = Subscription(
        subscription_id=str(uuid.uuid4()),
        function_id=function.function_id,
        project_id=function.project_id,
        user_id=function.user_id,
        kind=asked.__struct_config__.tag,  # type: ignore[arg-type]  # a kind, by the shape
        frequency_ms=_milliseconds(values.pop("frequency", None)),
        since=now,
        created_at=now,
        updated_at=now,
        **values,
    )
    check(function, made, others)
    _check_source(made)
    if len(others) >= limits.MAX_SUBSCRIPTIONS:
        figures = refusals.figures(limits.MAX_SUBSCRIPTIONS, len(others))
        message = f"the limit of a function's subscriptions is {figures}"
        raise ApiError(409, "quota", message)
    if made.kind == "timer":
        services().quotas.require_timer(made.project_id)
    return made


def add(subscription: Subscription) -> None:
    """Record a subscription that ``new`` made."""
    services().store.create_subscription(subscription)


@contextmanager
def added(subscriptions: Sequence[Subscription]) -> Iterator[None]:
    """Record subscriptions that ``new`` made, for a function that the block records; they are
    removed again where that fails, unless the store is away: they would be of no function.
    """
    try:
        for each in subscriptions:
            add(each)
        yield
    except BaseException:
        with suppress(StoreUnavailableError):
            for each in subscriptions:
                services().store.delete_subscription(each.subscription_id)
        raise


def changed(old: Subscription, asked: SubscriptionUpdate, now: int) -> Subscription:
    """Return a subscription as it becomes; a timer that fires otherwise, or is enabled, counts from
    now. Raises ApiError for what its kind does not have.
    """
    values: dict[str, Any] = {
        name: value for name, value in asdict(asked).items() if value is not UNSET
    }
    for name in values:
        if old.kind not in _KINDS.get(name, (old.kind,)):
            kinds = " or ".join(_KINDS[name])
            raise ApiError(400, "invalid", f"{name} goes with kind {kinds} only")
    after = replace(old, **_timed(values), updated_at=now)
    return replace(after, since=now) if _counts_anew(old, after) else after


def check(function: Function, wanted: Subscription, others: Iterable[Subscription]) -> None:
    """Raise ApiError for a subscription that a function, which has others, cannot have."""
    if wanted.kind != "webhook" and function.type == "wait_for_response":
        raise ApiError(400, "invalid", "type wait_for_response goes with event webhook only")
    if wanted.kind == "timer":
        _check_timer(wanted)
    if wanted.filter is not None:
        _check_filter(wanted.filter)
    if wanted.event_id is not None:
        _require_unlike(wanted, others)


def check_change(function: Function, wanted: Subscription, others: Iterable[Subscription]) -> None:
    """Raise ApiError for what a subscription cannot become. One that is disabled then may be to
    what is gone.
    """
    check(function, wanted, others)
    if wanted.enabled:
        _check_source(wanted)


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    """Return changes as a record has them: either of a timer's settings replaces the other."""
    if "frequency" in values and "cron" in values:
        raise ApiError(400, "invalid", "a timer has either frequency or cron")
    if "frequency" in values:
        values["frequency_ms"] = _milliseconds(values.pop("frequency"))
        return {"cron": None, "timezone": "UTC", **values}
    return {"frequency_ms": None, **values} if "cron" in values else values


def _counts_anew(old: Subscription, after: Subscription) -> bool:
    def timed(each: Subscription) -> tuple[object, ...]:
        return (each.frequency_ms, each.cron, each.timezone)

    return timed(after) != timed(old) or after.enabled > old.enabled


def _check_timer(timer: Subscription) -> None:
    if (timer.frequency_ms is None) == (timer.cron is None):
        raise ApiError(400, "invalid", "a timer has either frequency or cron")
    if timer.cron is None:
        if timer.timezone != "UTC":
            raise ApiError(400, "invalid", "timezone goes with cron only")
        return
    try:
        cron.check(timer.cron, timer.timezone)
    except cron.CronError as error:
        raise ApiError(400, "invalid", f"cron: {error}") from error


def _check_filter(pattern: dict[str, Any]) -> None:
    try:
        filters.check(pattern)
    except filters.FilterError as error:
        raise ApiError(400, "invalid", f"filter: {error}") from error
    if len(msgspec.json.encode(pattern)) > limits.MAX_FILTER_BYTES:
        message = f"filter: it has more than {limits.MAX_FILTER_BYTES} bytes"
        raise ApiError(400, "invalid", message)


def _check_source(wanted: Subscription) -> None:
    """Refuse what the project does not have, and what has subscribers enough."""
    event_id = wanted.event_id
    if event_id is None:
        return
    if wanted.kind == "response":
        finding.function_of(wanted.project_id, event_id)
    else:
        finding.event_of(wanted.project_id, event_id)
    if wanted.enabled and (used := _subscribers(event_id, wanted)) >= limits.MAX_SUBSCRIBERS:
        figures = refusals.figures(limits.MAX_SUBSCRIBERS, used)
        raise ApiError(409, "quota", f"the limit of subscriptions to {event_id} is {figures}")


def _subscribers(event_id: str, besides: Subscription) -> int:
    """Return how many enabled subscriptions of living functions there are, besides one."""
    store = services().store
    found = store.subscriptions_to([event_id])
    owners = store.get_functions(list({each.function_id for each in found}))
    living = {name for name, owner in owners.items() if owner.deleted_at is None}
    return sum(
        each.function_id in living and each.subscription_id != besides.subscription_id
        for each in found
    )


def _require_unlike(wanted: Subscription, others: Iterable[Subscription]) -> None:
    """Refuse a subscription that would run nothing beyond what another does."""

    def what(each: Subscription) -> tuple[object, ...]:
        return (each.kind, each.event_id, each.outcome, each.filter)

    for each in others:
        if each.subscription_id != wanted.subscription_id and what(each) == what(wanted):
            message = f"subscription {each.subscription_id} is the same"
            raise ApiError(409, "already_subscribed", message)


def _milliseconds(frequency: float | None) -> int | None:
    return None if frequency is None else round(frequency * _MINUTE_MS)
