"""Subscriptions: the events that run a function."""

from flask import Response
from msgspec import UNSET
from msgspec.structs import replace

from pratai_api import answers, finding, schemas, subscribing, views
from pratai_api.answers import Answer, json_answer
from pratai_api.arguments import json_body, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common.records import Subscription


def index(function_id: str) -> Response:
    """Answer a function's subscriptions, oldest first."""
    asked = query(schemas.PageQuery)
    found = services().store.subscriptions_of(finding.function(function_id).function_id)
    part, following = answers.part(found, asked, lambda each: each.subscription_id)
    shown = [views.subscription(each) for each in part]
    return json_answer(views.Subscriptions(subscriptions=shown, next=following))


def create(function_id: str) -> Response:
    """Subscribe a function to an event."""
    function = finding.function(function_id)
    asked: schemas.NewSubscription = json_body(schemas.SubscriptionCreate)
    made = subscribing.add(function, asked.frequency, asked.enabled)
    return json_answer(views.subscription(made), 201)


def update(function_id: str, subscription_id: str) -> Response:
    """Change a subscription; a timer that is changed or enabled counts from now."""
    found = finding.subscription(finding.function(function_id), subscription_id)
    asked = json_body(schemas.SubscriptionUpdate)
    if asked.frequency is not UNSET and found.kind != "timer":
        raise ApiError(400, "invalid", "a timer, and nothing else, has a frequency")
    now = services().clock()

    def change(old: Subscription) -> Subscription:
        frequency = (
            old.frequency_ms
            if asked.frequency is UNSET
            else subscribing.milliseconds(asked.frequency)
        )
        enabled = old.enabled if asked.enabled is UNSET else asked.enabled
        anew = frequency != old.frequency_ms or enabled > old.enabled
        since = now if anew else old.since
        return replace(old, frequency_ms=frequency, enabled=enabled, since=since)

    changed = services().store.change_subscription(subscription_id, change)
    return json_answer(views.subscription(changed or found))


def delete(function_id: str, subscription_id: str) -> Response:
    """Delete a subscription."""
    found = finding.subscription(finding.function(function_id), subscription_id)
    services().store.delete_subscription(found.subscription_id)
    return Answer(status=204)
