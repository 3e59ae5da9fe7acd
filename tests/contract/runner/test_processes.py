"""A process for each event: imports are shared, and nothing of an event reaches the next one."""

from typing import Any

import pytest

from tests.contract.runner.conftest import StartNode
from tests.contract.runner.node import Node, Runtime

NO_ACCESS = ("EPERM", "EACCES")
DISTURBED = (
    "the function disturbed its runner's connection: a header that is no JSON: "
    "Expecting value: line 1 column 1 (char 0)"
)


@pytest.fixture(autouse=True)
def _with_copies(runtime: Runtime) -> None:
    if not runtime.copies:
        pytest.skip(f"{runtime.name} has no copies of a process; see test_alone.py")


def results(node: Node, function: str, *payloads: Any) -> list[Any]:
    """Return what a function makes of events, one after the other."""
    assert node.load(function, "process").header == {"op": "next", "size": 0}
    found = []
    for payload in payloads:
        found.append(node.event(payload).result)
        node.ready()
    return found


def test_the_import_is_shared_and_what_events_change_is_not(node: Node) -> None:
    found = results(node, "counting", 1, 2, 3)
    assert [each["events"] for each in found] == [1, 1, 1]
    assert [each["payload"] for each in found] == [1, 2, 3]
    assert len({each["imported"] for each in found}) == 1
    assert len({each["process"] for each in found}) == 3


def test_each_event_has_its_own_context_and_time(node: Node) -> None:
    node.load("counting", "process")
    first = node.event(timeout=20.0, request_id="a").result
    node.ready()
    second = node.event(timeout=500.0, request_id="b").result
    assert [first["request_id"], second["request_id"]] == ["a", "b"]
    assert first["remaining"] <= 20 < second["remaining"]


def test_nothing_is_left_of_an_event(node: Node) -> None:
    left, found = results(node, "leftovers", "leave", "look")
    # The runner, the event's own process, and the one that it left.
    assert len(left.pop("processes")) == 3
    assert [name for name, what in left.items() if not what] == []
    assert len(found.pop("processes")) == 2
    assert [name for name, what in found.items() if what] == []


def test_a_process_that_forks_without_end_is_ended_whole(node: Node) -> None:
    node.load("attacking", "process")
    assert node.event("forks_without_end").result == "no more"
    node.ready()
    assert node.event("handles_its_own").result == [10]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("signals", ("sent",)),
        ("traces", NO_ACCESS),
        ("takes_a_descriptor", NO_ACCESS),
        ("reads_memory", NO_ACCESS),
        ("reads_variables", NO_ACCESS),
        ("lists_descriptors", NO_ACCESS),
    ],
)
def test_the_runner_cannot_be_reached(node: Node, what: str, expected: tuple[str, ...]) -> None:
    """It goes on as before, whatever was sent to it: also the one for which the import left a
    handler.
    """
    node.load("attacking", "process")
    assert node.event(what).result in expected
    node.ready()
    assert node.event("handles_its_own").result == [10]
    node.ready()


def test_a_process_holds_nothing_of_the_node_but_its_output(node: Node) -> None:
    held = results(node, "attacking", "holds")[0]
    assert held == ["/dev/null", "/run/pratai/output", "/run/pratai/output", "socket"]
    assert results_of_all_sockets(node) == 1


def results_of_all_sockets(node: Node) -> int:
    """Return how many sockets the next event's process holds: the one that it answers by."""
    held: list[str] = node.event("holds").result
    node.ready()
    return held.count("socket")


@pytest.mark.parametrize("what", ["limits", "slows"])
def test_a_runner_whose_limits_were_changed_gives_up(node: Node, what: str) -> None:
    node.load("attacking", "process")
    assert node.event(what).result == "done"
    assert node.hangs_up()
    assert node.ended().code == 0
    assert "it changed the limits of its runner" in node.printed()


@pytest.mark.parametrize(
    ("what", "reason", "message"),
    [
        ("ends_at_once", "exit_code", "its process ended with code 5"),
        ("ends_well_at_once", "exit_code", "its process ended with code 0"),
        ("is_killed", "exit_code", "its process was ended by signal 9 (Killed)"),
        ("closes_descriptors", "bad_result", "the function closed its runner's connection"),
        (
            "disturbs",
            "bad_result",
            DISTURBED,
        ),
        ("exits", "exit_code", "sys.exit(3)"),
    ],
)
def test_how_a_process_ends_is_its_own_affair(
    node: Node, what: str, reason: str, message: str
) -> None:
    node.load("doing", "process")
    assert node.event(what).failure == (reason, message)
    node.ready()
    assert node.event("responds").result == "made"


def test_output_that_an_event_closed_is_there_again(node: Node) -> None:
    first, second = results(node, "doing", "closes_output", "returns")
    assert (first, second) == (None, {"a": [1, None, "ä"]})
    assert node.printed() == "printed before it\nan unfinished line"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("threading_at_import", "its import started threads"),
        ("processing_at_import", "its import started processes that run"),
        ("writing_at_import", "its import left files in /tmp"),
    ],
)
def test_what_cannot_be_copied_handles_one_event(
    start_node: StartNode, function: str, message: str
) -> None:
    node, other = start_node(), start_node()
    said = node.load(function, "process").header
    assert said == {"op": "next", "isolation": "container", "message": message, "size": 0}
    assert node.event(7).result in (7, [7, "dear"])
    assert node.hangs_up()
    # Where nothing is to be copied there is nothing to say.
    assert other.load(function, "shared").header == {"op": "next", "size": 0}
