"""Subscriptions: the events that run a function."""

from flask import Response

from pratai_api import answers, event_schemas, event_views, finding, schemas, subscribing
from pratai_api.answers import Answer, json_answer
from pratai_api.arguments import json_body, query
from pratai_api.services import services


def index(function_id: str) -> Response:
    """Answer a function's subscriptions, oldest first."""
    asked = query(schemas.PageQuery)
    found = services().store.subscriptions_of(finding.function(function_id).function_id)
    part, following = answers.part(found, asked, lambda each: each.subscription_id)
    shown = [event_views.subscription(each) for each in part]
    return json_answer(event_views.Subscriptions(subscriptions=shown, next=following))


def create(function_id: str) -> Response:
    """Subscribe a function to an event."""
    function = finding.function(function_id)
    asked: event_schemas.NewSubscription = json_body(event_schemas.SubscriptionCreate)
    others = services().store.subscriptions_of(function.function_id)
    made = subscribing.new(function, asked, others)
    subscribing.add(made)
    return json_answer(event_views.subscription(made), 201)


def update(function_id: str, subscription_id: str) -> Response:
    """Change a subscription; a timer that is changed or enabled counts from now."""
    function = finding.function(function_id)
    found = finding.subscription(function, subscription_id)
    asked = json_body(event_schemas.SubscriptionUpdate)
    others = services().store.subscriptions_of(function.function_id)
    now = services().clock()
    subscribing.check_change(function, subscribing.changed(found, asked, now), others)
    after = services().store.change_subscription(
        subscription_id, lambda old: subscribing.changed(old, asked, now)
    )
    return json_answer(event_views.subscription(after or found))


def delete(function_id: str, subscription_id: str) -> Response:
    """Delete a subscription."""
    found = finding.subscription(finding.function(function_id), subscription_id)
    services().store.delete_subscription(found.subscription_id)
    return Answer(status=204)
