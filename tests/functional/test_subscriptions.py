"""Subscriptions: which events run a function, made with it or later."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.test_events import UNKNOWN, create
from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until


@pytest.fixture(scope="module")
def stack(null_stack: Stack) -> Stack:
    return null_stack


@pytest.fixture(scope="module")
def echo(stack: Stack) -> str:
    """An ordinary function."""
    return stack.function(ECHO)


@pytest.fixture
def still_fine(stack: Stack, echo: str) -> Iterator[None]:
    """After the test it runs as ever."""
    yield
    assert stack.run(echo, [1])["result"] == [1]


def path_of(function: str) -> str:
    return f"/v1/functions/{function}/subscriptions"


def subscriptions(stack: Stack, function: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.get(path_of(function))["subscriptions"]
    return found


def functions(stack: Stack) -> list[str]:
    return [each["function_id"] for each in stack.get("/v1/functions?limit=1000")["functions"]]


def made(stack: Stack, **metadata: Any) -> list[dict[str, Any]]:
    """Return the subscriptions that a function is created with."""
    answer = stack.upload(ECHO, **metadata)
    assert answer.status_code == 201, answer.text
    return subscriptions(stack, answer.json()["function_id"])


def test_a_timer_is_made_changed_and_deleted(stack: Stack, still_fine: None) -> None:
    function = stack.function(ECHO)
    path = path_of(function)
    answer = stack.call("POST", path, json={"kind": "timer", "frequency": 1 / 60})
    assert answer.status_code == 201
    timer = answer.json()
    assert (timer["kind"], timer["frequency"], timer["enabled"]) == ("timer", 1 / 60, True)
    own = f"{path}/{timer['subscription_id']}"

    def timed() -> list[Any]:
        return stack.get(f"/v1/requests?function_id={function}&source=timer")["requests"]  # type: ignore[no-any-return]

    until(timed, "it ticks")
    changed = stack.call("PATCH", own, json={"enabled": False}).json()
    assert changed["enabled"] is False
    assert changed["updated_at"] > timer["updated_at"]
    assert stack.call("PATCH", own, json={"frequency": 60}).json()["frequency"] == 60
    assert [each["kind"] for each in subscriptions(stack, function)] == ["webhook", "timer"]
    assert stack.call("DELETE", own).status_code == 204
    for method in ("PATCH", "DELETE"):
        message = refused(stack.call(method, own, json={}), 404, "subscription_not_found")
        assert message == f"the function has no subscription {timer['subscription_id']}"


def test_frequency_and_cron_replace_each_other(stack: Stack, echo: str) -> None:
    body = {"kind": "timer", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "misfire": "all"}
    timer = stack.call("POST", path_of(echo), json=body).json()
    assert {name: timer[name] for name in body} == body
    assert timer["frequency"] is None
    own = f"{path_of(echo)}/{timer['subscription_id']}"
    changes: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
        ({"timezone": "Asia/Tokyo"}, (None, "30 2 * * *", "Asia/Tokyo")),
        ({"frequency": 5}, (5, None, "UTC")),
        ({"cron": "@daily"}, (None, "@daily", "UTC")),
        ({"misfire": "skip"}, (None, "@daily", "UTC")),
    ]
    for change, expected in changes:
        shown = stack.call("PATCH", own, json=change).json()
        assert (shown["frequency"], shown["cron"], shown["timezone"]) == expected
    assert shown["misfire"] == "skip"
    bad = [
        ({"frequency": 5, "cron": "@daily"}, "a timer has either frequency or cron"),
        ({"frequency": 5, "timezone": "Asia/Tokyo"}, "timezone goes with cron only"),
        ({"cron": "0 0 31 2 *"}, "cron: '0 0 31 2 *' never fires within 8 years"),
        ({"timezone": "Mars/Olympus"}, "cron: there is no time zone 'Mars/Olympus'"),
        ({"filter": {"a": [1]}}, "filter goes with kind message or response only"),
        ({"outcome": "failure"}, "outcome goes with kind response only"),
    ]
    for change, message in bad:
        assert refused(stack.call("PATCH", own, json=change), 400, "invalid") == message
    assert stack.call("DELETE", own).status_code == 204


def test_events_that_a_function_is_created_with(stack: Stack, echo: str) -> None:
    event = create(stack, "at-creation")
    (hook,) = made(stack)
    assert (hook["kind"], hook["event_id"], hook["timezone"]) == ("webhook", None, None)
    (timer,) = made(stack, event="timer", cron="*/5 * * * *", timezone="Europe/Berlin")
    assert (timer["cron"], timer["timezone"], timer["misfire"]) == (
        "*/5 * * * *", "Europe/Berlin", "once",
    )  # fmt: skip
    pattern = {"a": [1]}
    (message,) = made(stack, event="message", subscribe_to=[event], filter=pattern)
    assert (message["kind"], message["event_id"], message["filter"], message["outcome"]) == (
        "message", event, pattern, None,
    )  # fmt: skip
    named = [f"{echo}:success", f"{echo}:failure", echo]
    responses = made(stack, event="response", subscribe_to=named)
    # Made within one moment, they are listed by their ids.
    assert sorted(each["outcome"] for each in responses) == ["any", "failure", "success"]
    assert {each["event_id"] for each in responses} == {echo}


BAD_CREATIONS = [
    ({"event": "timer"}, "event timer and frequency or cron go together"),
    ({"frequency": 5}, "event timer and frequency or cron go together"),
    ({"cron": "@daily"}, "event timer and frequency or cron go together"),
    ({"event": "timer", "cron": "@daily", "frequency": 5}, "a timer has either frequency or cron"),
    ({"event": "timer", "cron": "61 * * * *"}, "cron: minute: '61' cannot be"),
    ({"timezone": "Asia/Tokyo"}, "timezone and misfire go with event timer only"),
    ({"event": "message"}, "event message or response and subscribe_to go together"),
    ({"subscribe_to": ["x"]}, "event message or response and subscribe_to go together"),
    ({"filter": {"a": [1]}}, "filter goes with event message or response only"),
    ({"event": "message", "subscribe_to": ["x:success"]}, "an event has no outcome: x:success"),
    ({"event": "response", "subscribe_to": ["x:maybe"]}, "matching regex"),
    ({"event": "message", "subscribe_to": ["{event}"], "filter": {}}, "filter: a filter is an"),
    (
        {"event": "message", "subscribe_to": ["{event}"], "type": "wait_for_response"},
        "type wait_for_response goes with event webhook only",
    ),
]


def test_bad_events_at_creation(stack: Stack, still_fine: None) -> None:
    event, before = create(stack, "bad-creation"), functions(stack)
    for metadata, message in BAD_CREATIONS:
        named = [each.format(event=event) for each in metadata.get("subscribe_to", ())]
        given: dict[str, Any] = {**metadata, **({"subscribe_to": named} if named else {})}
        assert message in refused(stack.upload(ECHO, **given), 400, "invalid")
    for kind in ("event", "function"):
        given = {"event": {"event": "message", "function": "response"}[kind]}
        answer = stack.upload(ECHO, subscribe_to=[UNKNOWN], **given)
        assert refused(answer, 404, f"{kind}_not_found") == f"the project has no {kind} {UNKNOWN}"
    answer = stack.upload(ECHO, event="message", subscribe_to=[event, event])
    assert "is the same" in refused(answer, 409, "already_subscribed")
    assert functions(stack) == before


BAD_SUBSCRIPTIONS = [
    ({"kind": "timer"}, "a timer has either frequency or cron"),
    ({"kind": "timer", "frequency": 0}, "`float` >= 0.016"),
    ({"kind": "timer", "frequency": 1e9}, "`float` <= 527040"),
    ({"kind": "timer", "cron": "* * *"}, "cron: a cron expression has five fields"),
    ({"kind": "timer", "cron": "@daily", "misfire": "maybe"}, "Invalid enum value 'maybe'"),
    ({"kind": "webhook", "frequency": 1}, "Expected `null`, got `int`"),
    ({"kind": "webhook", "filter": {}}, "unknown field `filter`"),
    ({"kind": "message"}, "missing required field `event_id`"),
    ({"kind": "message", "event_id": "{event}", "outcome": "any"}, "unknown field `outcome`"),
    (
        {"kind": "message", "event_id": "{event}", "filter": {"a": [{"near": 1}]}},
        "filter: $.a: there is no operator 'near'; known: anything-but, exists",
    ),
    (
        {"kind": "message", "event_id": "{event}", "filter": {"a": ["x" * 8192]}},
        "filter: it has more than 8192 bytes",
    ),
    ({"kind": "carrier pigeon"}, "Invalid value 'carrier pigeon' - at `$.kind`"),
    ({"frequency": 1}, "missing required field `kind`"),
]


def test_bad_subscriptions(stack: Stack, echo: str, still_fine: None) -> None:
    path, event = path_of(echo), create(stack, "bad-subscriptions")
    before = subscriptions(stack, echo)
    for body, message in BAD_SUBSCRIPTIONS:
        given = {**body, **({"event_id": event} if "event_id" in body else {})}
        assert message in refused(stack.call("POST", path, json=given), 400, "invalid")
    for kind, noun in (("message", "event"), ("response", "function")):
        answer = stack.call("POST", path, json={"kind": kind, "event_id": UNKNOWN})
        assert refused(answer, 404, f"{noun}_not_found") == f"the project has no {noun} {UNKNOWN}"
    assert subscriptions(stack, echo) == before
    answer = stack.call("PATCH", f"{path}/{before[0]['subscription_id']}", json={"frequency": 1})
    assert refused(answer, 400, "invalid") == "frequency goes with kind timer only"


def test_what_would_run_nothing_more_is_refused(stack: Stack) -> None:
    function, event = stack.upload(ECHO).json()["function_id"], create(stack, "alike")
    body = {"kind": "message", "event_id": event, "filter": {"a": [1]}}
    first = stack.call("POST", path_of(function), json=body).json()["subscription_id"]
    message = refused(stack.call("POST", path_of(function), json=body), 409, "already_subscribed")
    assert message == f"subscription {first} is the same"
    other = stack.call("POST", path_of(function), json={**body, "filter": {"a": [2]}})
    assert other.status_code == 201
    own = f"{path_of(function)}/{other.json()['subscription_id']}"
    answer = stack.call("PATCH", own, json={"filter": {"a": [1]}})
    assert refused(answer, 409, "already_subscribed") == f"subscription {first} is the same"
    assert stack.call("PATCH", own, json={"filter": None}).json()["filter"] is None


def test_wait_for_response_goes_with_webhooks_only(stack: Stack, echo: str) -> None:
    """Whichever comes first: at creation, a timer to the type, the type to a timer."""
    message = "type wait_for_response goes with event webhook only"
    answer = stack.upload(ECHO, type="wait_for_response", event="timer", frequency=5)
    assert refused(answer, 400, "invalid") == message
    waits = stack.function(ECHO, type="wait_for_response")
    timer = {"kind": "timer", "frequency": 60}
    bodies = [
        timer,
        {"kind": "message", "event_id": create(stack, "waits")},
        {"kind": "response", "event_id": echo},
    ]
    for body in bodies:
        answer = stack.call("POST", path_of(waits), json=body)
        assert refused(answer, 400, "invalid") == message
    ticks = stack.function(ECHO)
    own = stack.call("POST", path_of(ticks), json=timer).json()["subscription_id"]
    change = {"type": "wait_for_response"}
    answer = stack.call("PATCH", f"/v1/functions/{ticks}", json=change)
    assert refused(answer, 400, "invalid") == message
    assert stack.get(f"/v1/functions/{ticks}")["type"] == "async"
    stack.call("DELETE", f"{path_of(ticks)}/{own}")
    changed = stack.call("PATCH", f"/v1/functions/{ticks}", json=change).json()
    assert changed["type"] == "wait_for_response"
