"""Events on a running stack: made, changed, published on; and how functions set delivery."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def create(stack: Stack, name: str, **settings: Any) -> str:
    answer = stack.call("POST", "/v1/events", json={"name": name, **settings})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["event_id"])


def publish(stack: Stack, event: str, content: Any, content_type: str, **headers: str) -> Any:
    """Return the ids of the requests that were caused."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Content-Type": content_type, **headers}
    answer = stack.call("POST", f"/v1/events/{event}", data=data, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["event_id"] == event
    return answer.json()["request_ids"]


def subscriber(stack: Stack, event: str, content: bytes = ECHO, **settings: Any) -> str:
    return stack.function(content, event="message", subscribe_to=[event], **settings)


@pytest.fixture(scope="module")
def stack(null_stack: Stack) -> Stack:
    return null_stack


@pytest.fixture
def still_fine(stack: Stack) -> Iterator[None]:
    """After the test an ordinary function runs as ever."""
    yield
    assert stack.run(stack.function(ECHO), [1])["result"] == [1]


# Publishing


def test_filters_choose_what_runs(stack: Stack) -> None:
    event = create(stack, "chosen")
    large = subscriber(stack, event, filter={"total": [{"numeric": [">", 10]}]})
    paid = subscriber(stack, event, filter={"status": ["paid"], "items": {"n": [1]}})

    def run(data: Any) -> set[str]:
        ids = publish(stack, event, data, "application/json")
        return {stack.get(f"/v1/requests/{each}")["function_id"] for each in ids}

    assert run({"total": 11}) == {large}
    assert run({"total": 10, "status": "paid", "items": [{"n": 2}, {"n": 1}]}) == {paid}
    assert run({"total": 99, "status": "paid", "items": {"n": 1}}) == {large, paid}
    assert run({"total": 1}) == run([]) == run(None) == set()


def test_what_is_put_off_runs_when_its_time_has_come(stack: Stack) -> None:
    event = create(stack, "later")
    function = subscriber(stack, event)

    def put_off(moment: datetime) -> list[str]:
        text = moment.isoformat()
        answer = stack.call(
            "POST", f"/v1/events/{event}", params={"not_before": text}, json={"published": 1}
        )
        path = f"/v1/functions/{function}"
        called = stack.call("POST", path, json={"payload": {"called": 1}, "not_before": text})
        return [*answer.json()["request_ids"], called.json()["request_id"]]

    late = put_off(datetime.now(UTC) + timedelta(hours=1))
    moment = datetime.now(UTC) + timedelta(seconds=1.5)
    soon = put_off(moment)
    assert len(late) == len(soon) == 2
    for each in soon:
        ended = stack.ended(each)
        assert ended["result"] == ended["payload"]
        assert datetime.fromisoformat(ended["started_at"]) >= moment - timedelta(milliseconds=1)
    for each in late:
        assert stack.get(f"/v1/requests/{each}")["status"] == "scheduled"
        assert stack.call("DELETE", f"/v1/requests/{each}").ok


def test_requests_show_what_caused_them_and_what_they_caused(stack: Stack) -> None:
    first = stack.function(ECHO)
    second = stack.function(ECHO, event="response", subscribe_to=[f"{first}:success"])
    parent = stack.run(first, {"n": 1})["request_id"]
    path = f"/v1/requests/{parent}"
    children = until(lambda: stack.get(path)["children"], "it has a child")
    assert len(children) == 1
    child = stack.ended(children[0])
    assert (child["function_id"], child["source"]) == (second, "response")
    assert (child["parent_id"], child["root_id"], child["depth"]) == (parent, parent, 1)
    assert child["children"] == []
    for query in (f"parent_id={parent}", f"root_id={parent}"):
        listed = stack.get(f"/v1/requests?{query}")["requests"]
        assert [each["request_id"] for each in listed] == children
        assert "children" not in listed[0]
    assert stack.get(f"/v1/requests?parent_id={UNKNOWN}")["requests"] == []


# Events and their settings


def test_events_are_listed_changed_and_deleted(stack: Stack) -> None:
    made = {name: create(stack, f"listed-{name}") for name in "bca"}
    path = "/v1/events?sort=name:asc&limit=1000&source=published"
    listed = [each for each in stack.get(path)["events"] if each["event_id"] in made.values()]
    assert [each["name"] for each in listed] == ["listed-a", "listed-b", "listed-c"]
    assert listed[0] == stack.get(f"/v1/events/{made['a']}")
    page = stack.get(f"/v1/events?sort=name:desc&marker={made['c']}&limit=2")
    assert [each["name"] for each in page["events"]] == ["listed-b", "listed-a"]
    assert stack.get("/v1/events?name=listed-b")["events"][0]["event_id"] == made["b"]
    own = f"/v1/events/{made['b']}"
    answer = stack.call("PATCH", own, json={"name": "listed-a"})
    assert refused(answer, 409, "name_taken") == "an event named listed-a exists"
    changed = stack.call("PATCH", own, json={"name": "listed-d", "description": "new"}).json()
    assert (changed["name"], changed["description"]) == ("listed-d", "new")
    assert changed["updated_at"] > changed["created_at"]
    assert stack.call("DELETE", own).status_code == 204
    for method in ("GET", "PATCH", "DELETE", "POST"):
        answer = stack.call(method, own, json={})
        assert refused(answer, 404, "event_not_found") == f"there is no event {made['b']}"
    assert create(stack, "listed-d") != made["b"]


QUEUE = {"host": "broker.example", "queue": "q"}
BAD_EVENTS = [
    ({}, "invalid", "missing required field `name`"),
    ({"name": "a b"}, "invalid", "matching regex"),
    ({"name": "a", "colour": "red"}, "invalid", "unknown field `colour`"),
    ({"name": "a", "source": "carrier-pigeon"}, "unknown_source", "no source carrier-pigeon"),
    ({"name": "a", "source": None}, "invalid", "Expected `str`, got `null` - at `$.source`"),
    ({"name": "a", "settings": {"x": 1}}, "invalid", "a published event: Object contains unknown"),
    ({"name": "a", "settings": []}, "invalid", "Expected `object`, got `array` - at `$.settings`"),
    ({"name": "a", "password": "p"}, "invalid", "a published event has no password"),
    ({"name": "a", "source": "message"}, "invalid", "message event: Object missing required"),
    (
        {"name": "a", "source": "message", "settings": {"host": "h"}},
        "invalid",
        "either queue or exchange is needed",
    ),
    (
        {"name": "a", "source": "message", "settings": {**QUEUE, "port": 0}},
        "invalid",
        "settings of a message event: Expected `int` >= 1 - at `$.port`",
    ),
    (
        {"name": "a", "source": "message", "settings": {**QUEUE, "queue": "q" * 244}},
        "invalid",
        "Expected `str` of length <= 243 - at `$.queue`",
    ),
    (
        {"name": "a", "source": "message", "settings": {**QUEUE, "password": "p"}},
        "invalid",
        "Object contains unknown field `password`",
    ),
    (
        {"name": "a", "source": "message", "settings": QUEUE, "password": ""},
        "invalid",
        "Expected `str` of length >= 1 - at `$.password`",
    ),
    (
        {"name": "a", "source": "notification", "settings": {"event_type": "*", "priorities": []}},
        "invalid",
        "Expected `array` of length >= 1 - at `$.priorities`",
    ),
    (
        {"name": "a", "source": "database", "settings": {"host": "h", "database": "d"}},
        "invalid",
        "missing required field `username`",
    ),
]  # fmt: skip
BAD_CHANGES = [
    ({"source": "message"}, "invalid", "unknown field `source`"),
    ({"all_projects": True}, "invalid", "unknown field `all_projects`"),
    ({"name": ""}, "invalid", "matching regex"),
    ({"settings": {"host": "h"}}, "invalid", "unknown field `host`"),
    ({"password": "p"}, "invalid", "a published event has no password"),
    ({"enabled": None}, "invalid", "Expected `bool`, got `null` - at `$.enabled`"),
]


def test_bad_events(stack: Stack, still_fine: None) -> None:
    before = stack.get("/v1/events")
    for body, reason, message in BAD_EVENTS:
        assert message in refused(stack.call("POST", "/v1/events", json=body), 400, reason)
    assert stack.get("/v1/events") == before
    own = f"/v1/events/{create(stack, 'unchanged')}"
    unchanged = stack.get(own)
    for body, reason, message in BAD_CHANGES:
        assert message in refused(stack.call("PATCH", own, json=body), 400, reason)
    assert stack.get(own) == unchanged
    assert stack.call("PATCH", own, json={"settings": {}}).status_code == 200


BAD_QUERIES = [
    ("limit=0", "Expected `int` >= 1 - at `$.limit`"),
    ("sort=source:asc", "Invalid enum value 'source:asc' - at `$.sort`"),
    (f"marker={UNKNOWN}", f"the marker names nothing in this list: {UNKNOWN}"),
    ("all_projects=maybe", "Expected `bool`, got `str` - at `$.all_projects`"),
]


@pytest.mark.parametrize(("query", "message"), BAD_QUERIES)
def test_bad_queries(stack: Stack, query: str, message: str) -> None:
    assert message in refused(stack.call("GET", f"/v1/events?{query}"), 400, "invalid")


# Delivery, as functions set it

BAD_DELIVERY = [
    ({"max_age": 59}, 400, "invalid", "Expected `int` >= 60 - at `$.max_age`"),
    ({"max_age": 604801}, 400, "invalid", "Expected `int` <= 604800 - at `$.max_age`"),
    ({"on_failure": ""}, 400, "invalid", "length >= 1 - at `$.on_failure`"),
    ({"on_failure": UNKNOWN}, 404, "event_not_found", f"the project has no event {UNKNOWN}"),
]


def test_delivery_settings(stack: Stack, still_fine: None) -> None:
    event = create(stack, "dead")
    settings = {"max_age": 3600, "on_failure": event, "retries": 2}
    made = stack.upload(ECHO, **settings).json()
    assert {name: made[name] for name in settings} == settings
    path = f"/v1/functions/{made['function_id']}"
    for change, code, reason, message in BAD_DELIVERY:
        assert message in refused(stack.upload(ECHO, **change), code, reason)
        assert message in refused(stack.call("PATCH", path, json=change), code, reason)
    assert stack.get(path)["on_failure"] == event
    changed: requests.Response = stack.call("PATCH", path, json={"max_age": None})
    assert (changed.json()["max_age"], changed.json()["on_failure"]) == (None, event)
    request = stack.submit(made["function_id"])
    ages = stack.get(f"/v1/requests/{request}")
    lifetime = datetime.fromisoformat(ages["expires_at"]) - datetime.fromisoformat(
        ages["created_at"]
    )
    assert lifetime == timedelta(hours=24)
    assert stack.call("PATCH", path, json={"on_failure": None, "max_age": 60}).status_code == 200
    ages = stack.get(f"/v1/requests/{stack.submit(made['function_id'])}")
    assert datetime.fromisoformat(ages["expires_at"]) - datetime.fromisoformat(
        ages["created_at"]
    ) == timedelta(minutes=1)
