"""One process for event after event: everything is shared, and each answer is its own event's."""

import pytest

from tests.contract.runner.node import Node, Runtime


@pytest.fixture
def counting(node: Node) -> Node:
    node.load("counting", "shared")
    return node


def test_what_events_change_stays(counting: Node) -> None:
    results = []
    for number in range(3):
        results.append(counting.event(number).result)
        counting.ready()
    assert [each["events"] for each in results] == [1, 2, 3]
    assert len({each["imported"] for each in results}) == 1
    assert len({each["process"] for each in results}) == 1


def test_each_event_has_its_own_context_and_time(counting: Node) -> None:
    first = counting.event(timeout=20.0, request_id="a").result
    counting.ready()
    second = counting.event(timeout=500.0, request_id="b").result
    assert [first["request_id"], second["request_id"]] == ["a", "b"]
    assert first["remaining"] <= 20 < second["remaining"]


@pytest.mark.parametrize("what", ["raises", "exits", "returns_a_set", "returns_too_much"])
def test_after_a_failure_the_next_event_is_handled(node: Node, runtime: Runtime, what: str) -> None:
    node.load("doing", "shared")
    assert node.event(what).failure
    if what == "exits" and not runtime.survives_exit:
        assert node.hangs_up()
        return
    node.ready()
    assert node.event("responds").result == "made"


def test_a_thread_that_an_event_left_goes_on(node: Node) -> None:
    node.load("printing", "shared")
    node.event("leave a thread")
    node.ready()
    node.event("b")
    node.prints("event: b\n")
    node.prints("chatter\n")
