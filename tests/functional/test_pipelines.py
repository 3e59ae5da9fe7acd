"""Functions that follow one another, on real daemons and an engine that does nothing.

What asks for more memory than the node has fails here: it waits until it is too old.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.store.sqlite import SQLiteStore
from tests.packages import ECHO
from tests.stack import Stack
from tests.waiting import until


@pytest.fixture(scope="module")
def quick(null_stack: Stack) -> Stack:
    return null_stack


def follow(stack: Stack, function: str, topic: str, kind: str = "response", **values: Any) -> None:
    body = {"kind": kind, "event_id": topic, **values}
    answer = stack.call("POST", f"/v1/functions/{function}/subscriptions", json=body)
    assert answer.status_code == 201, answer.text


def children(stack: Stack, parent: str, number: int) -> list[dict[str, Any]]:
    """Return what followed from the end of a request, when so much of it has ended."""

    def look() -> list[dict[str, Any]]:
        found = stack.get(f"/v1/requests?parent_id={parent}")["requests"]
        return found if len(found) >= number else []

    found = until(look, f"{number} requests follow {parent}")
    assert len(found) == number
    return [stack.ended(each["request_id"]) for each in found]


def hurry(stack: Stack, function: str) -> None:
    """Let a function's requests wait for a second only, which the API does not allow."""
    store = SQLiteStore(stack.folder / "state" / "store.sqlite")
    store.change_function(function, lambda old: replace(old, max_age=1))
    store.close()


def test_three_functions_in_a_row(quick: Stack) -> None:
    first, second, third = (quick.function(ECHO) for _ in range(3))
    follow(quick, second, first, outcome="success")
    follow(quick, third, second, filter={"n": [{"numeric": [">", 0]}]})
    root = quick.run(first, {"n": 1})
    (middle,) = children(quick, root["request_id"], 1)
    (last,) = children(quick, middle["request_id"], 1)
    assert [each["function_id"] for each in (root, middle, last)] == [first, second, third]
    assert [each["source"] for each in (root, middle, last)] == ["http", "response", "response"]
    assert [each["depth"] for each in (root, middle, last)] == [0, 1, 2]
    assert {each["root_id"] for each in (root, middle, last)} == {root["request_id"]}
    assert [each["parent_id"] for each in (root, middle, last)] == [
        None,
        root["request_id"],
        middle["request_id"],
    ]
    for each in (root, middle, last):
        assert (each["status"], each["payload"], each["result"]) == ("success", {"n": 1}, {"n": 1})
    tree = quick.get(f"/v1/requests?root_id={root['request_id']}")["requests"]
    assert {each["request_id"] for each in tree} == {middle["request_id"], last["request_id"]}


def test_many_follow_one_that_somebody_waits_for(quick: Stack) -> None:
    """With a large result, which all of them get; a filter keeps one of them out."""
    first = quick.function(ECHO, type="wait_for_response")
    followers = [quick.function(ECHO) for _ in range(5)]
    for each in followers:
        follow(quick, each, first)
    follow(quick, quick.function(ECHO), first, filter={"kind": ["small"]})
    payload = {"kind": "large", "rest": "x" * 400_000}
    answer = quick.call("POST", f"/v1/functions/{first}", json={"payload": payload})
    assert (answer.status_code, answer.json()) == (200, payload)
    found = children(quick, answer.headers["X-Pratai-Request-Id"], 5)
    assert sorted(each["function_id"] for each in found) == sorted(followers)
    assert all(each["result"] == payload for each in found)


def test_a_failure_is_followed_and_its_dead_letter_published(quick: Stack) -> None:
    answer = quick.call("POST", "/v1/events", json={"name": "dead-letters"})
    assert answer.status_code == 201, answer.text
    event = answer.json()["event_id"]
    fails = quick.function(ECHO, memory=limits.MAX_MEMORY_MB, on_failure=event)
    hurry(quick, fails)
    told, undertaker = quick.function(ECHO), quick.function(ECHO)
    follow(quick, told, fails, outcome="failure")
    follow(quick, quick.function(ECHO), fails, outcome="success")
    follow(quick, undertaker, event, "message", filter={"reason": ["expired"]})
    root = quick.run(fails, {"n": 7})
    assert (root["status"], root["reason"], root["dead"]) == ("error", "expired", True)
    found = children(quick, root["request_id"], 2)
    by_source = {each["source"]: each for each in found}
    assert by_source.keys() == {"response", "dead_letter"}
    assert by_source["response"]["function_id"] == told
    assert by_source["dead_letter"]["function_id"] == undertaker
    failure = {
        "request_id": root["request_id"],
        "function_id": fails,
        "status": "error",
        "reason": "expired",
        "message": "no node could run it in time",
        "payload": {"n": 7},
    }
    assert by_source["response"]["result"] == failure
    letter = by_source["dead_letter"]["result"]
    name = quick.get(f"/v1/functions/{fails}")["name"]
    assert letter["event"]["type"] == "pratai.http"
    del letter["event"]
    assert letter == {**failure, "function_name": name, "version": None, "attempts": []}
    assert quick.get("/v1/requests?dead=true")["requests"][0]["request_id"] == root["request_id"]
