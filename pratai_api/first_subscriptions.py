"""The subscriptions that a function is created with: what ``event`` in its metadata means."""

from pratai_api import subscribing
from pratai_api.errors import ApiError
from pratai_api.event_schemas import (
    MessageSubscription,
    NewSubscription,
    ResponseSubscription,
    TimerSubscription,
    WebhookSubscription,
)
from pratai_api.schemas import FunctionCreate, Outcome
from pratai_common.records import Function, Subscription

_OUTCOMES: dict[str, Outcome] = {"": "any", "success": "success", "failure": "failure"}


def make(function: Function, asked: FunctionCreate) -> list[Subscription]:
    """Return the first subscriptions of a function that is in no store yet; raises ApiError."""
    _check(asked)
    made: list[Subscription] = []
    for each in _wanted(asked):
        made.append(subscribing.new(function, each, made))
    return made


def _check(asked: FunctionCreate) -> None:
    """Refuse settings that go with another event than the function's."""
    named, timed = bool(asked.subscribe_to), (asked.frequency, asked.cron) != (None, None)
    if (asked.event == "timer") != timed:
        raise ApiError(400, "invalid", "event timer and frequency or cron go together")
    if (asked.event in ("message", "response")) != named:
        message = "event message or response and subscribe_to go together"
        raise ApiError(400, "invalid", message)
    if asked.filter is not None and not named:
        raise ApiError(400, "invalid", "filter goes with event message or response only")
    if asked.event != "timer" and (asked.timezone, asked.misfire) != ("UTC", "once"):
        raise ApiError(400, "invalid", "timezone and misfire go with event timer only")


def _wanted(asked: FunctionCreate) -> list[NewSubscription]:
    if asked.event == "webhook":
        return [WebhookSubscription()]
    if asked.event == "timer":
        timer = TimerSubscription(
            frequency=asked.frequency,
            cron=asked.cron,
            timezone=asked.timezone,
            misfire=asked.misfire,
        )
        return [timer]
    if asked.event == "message":
        return [
            MessageSubscription(event_id=_event(each), filter=asked.filter)
            for each in asked.subscribe_to
        ]
    return [_response(each, asked) for each in asked.subscribe_to]


def _event(named: str) -> str:
    event_id, colon, _ = named.partition(":")
    if colon:
        raise ApiError(400, "invalid", f"subscribe_to: an event has no outcome: {named}")
    return event_id


def _response(named: str, asked: FunctionCreate) -> ResponseSubscription:
    function_id, _, outcome = named.partition(":")
    return ResponseSubscription(
        event_id=function_id, outcome=_OUTCOMES[outcome], filter=asked.filter
    )
