"""What a runner says, when, and how it ends; with every isolation."""

import pytest

from pratai_common import limits
from tests.contract.runner.conftest import StartNode
from tests.contract.runner.node import Node, Runtime, socket_is_silent

ISOLATIONS = ["container", "process", "shared"]
isolations = pytest.mark.parametrize("isolation", ISOLATIONS)


@pytest.fixture(autouse=True)
def _with_copies(request: pytest.FixtureRequest, runtime: Runtime) -> None:
    isolation = request.node.callspec.params.get("isolation")
    if isolation == "process" and not runtime.copies:
        pytest.skip(f"{runtime.name} has no copies of a process; see test_alone.py")


@isolations
def test_it_waits_for_its_function_and_then_for_its_event(node: Node, isolation: str) -> None:
    assert socket_is_silent(node.connection)
    assert node.load("counting", isolation).header == {"op": "next", "size": 0}
    assert socket_is_silent(node.connection)
    result = node.event({"a": "ä"}, request_id="r1").result
    assert (result["events"], result["payload"], result["request_id"]) == (1, {"a": "ä"}, "r1")


@isolations
def test_the_function_learns_how_much_time_is_left(node: Node, isolation: str) -> None:
    node.load("counting", isolation)
    assert 0 < node.event(timeout=500.0).result["remaining"] <= 500


def test_a_container_handles_one_event(node: Node) -> None:
    node.load("counting", "container")
    assert node.event().result["events"] == 1
    assert node.hangs_up()
    assert node.ended().code == 0


@isolations
def test_variables_are_there_when_the_import_begins(node: Node, isolation: str) -> None:
    node.load("surroundings", isolation, {"COLOUR": "grün", "TZ": "EST5EDT"})
    result = node.event(["COLOUR", "NOT_SET"]).result
    assert result["imported_with"] == ["grün", None]
    assert result["variables"] == ["grün", None]
    assert result["folder"] == "/run/pratai/files"
    assert result["timezone"] == "EST"


@isolations
@pytest.mark.parametrize(
    ("function", "reason", "message"),
    [
        ("refusing", "exception", "no such luck"),
        ("leaving", "exit_code", "4"),
        ("nothing", "exception", "main"),
    ],
)
def test_a_function_that_cannot_be_imported(
    node: Node, isolation: str, function: str, reason: str, message: str
) -> None:
    said = node.load(function, isolation)
    assert said.header["op"] == "init_error"
    assert said.failure[0] == reason
    assert message in said.failure[1]
    if function == "refusing":
        printed = node.printed()
        assert printed.startswith("the import begins\n")
        assert "no such luck" in printed
    assert node.hangs_up()
    assert node.ended().code == 0


@isolations
def test_what_was_printed_is_there_before_the_answer(node: Node, isolation: str) -> None:
    node.load("doing", isolation)
    assert node.event("returns").result == {"a": [1, None, "ä"]}
    assert node.printed() == "printed before it\nan unfinished line"


@isolations
def test_what_the_import_printed_is_printed_once(node: Node, isolation: str) -> None:
    node.load("printing", isolation)
    assert node.printed() == "import: an unfinished line"
    assert node.event("a").result is None
    assert node.printed() == "event: a\n"


@isolations
def test_a_head_goes_with_the_answer(node: Node, isolation: str) -> None:
    node.load("doing", isolation)
    said = node.event("responds")
    head = {"status": 201, "headers": {"Location": "/x"}, "encoding": "text"}
    assert (said.header["head"], said.result) == (head, "made")


@isolations
@pytest.mark.parametrize(
    ("what", "reason", "message"),
    [
        ("raises", "exception", "nothing found"),
        ("returns_a_set", "bad_result", "main returned no JSON"),
        ("returns_too_much", "result_too_large", "6291458 bytes"),
        ("exits", "exit_code", "3"),
    ],
)
def test_what_fails_has_a_reason(
    node: Node, isolation: str, what: str, reason: str, message: str
) -> None:
    node.load("doing", isolation)
    found = node.event(what).failure
    assert found[0] == reason
    assert message in found[1]
    if what == "raises":
        assert "nothing found" in node.printed()


@isolations
def test_a_message_is_cut_between_characters(node: Node, isolation: str) -> None:
    """The node knows by its length that it was cut."""
    node.load("doing", isolation)
    _, message = node.event("raises_much").failure
    assert len(message) == limits.MAX_FAILURE_CHARACTERS
    assert message.endswith("\N{GRINNING FACE}")


@isolations
def test_what_is_large_comes_through(node: Node, isolation: str) -> None:
    node.load("counting", isolation)
    payload = "x" * (3 * 1024 * 1024)
    assert node.event(payload).result["payload"] == payload


@isolations
@pytest.mark.parametrize("what", ["closes_output", "replaces_output"])
def test_a_function_may_do_without_its_output(node: Node, isolation: str, what: str) -> None:
    node.load("doing", isolation)
    assert node.event(what).result is None


@isolations
def test_a_process_that_comes_back_says_nothing(node: Node, isolation: str) -> None:
    node.load("doing", isolation)
    assert node.event("comes_back_twice").result == "parent"
    if isolation == "container":
        assert node.hangs_up()
    else:
        node.ready()


@pytest.mark.parametrize("isolation", ["container", "shared"])
@pytest.mark.parametrize(
    ("what", "code"),
    [("ends_at_once", 5), ("ends_well_at_once", 0), ("closes_descriptors", 76)],
)
def test_a_process_that_ends_itself_ends_the_container(
    node: Node, isolation: str, what: str, code: int
) -> None:
    """How its process ended is seen by the node."""
    node.load("doing", isolation)
    node.send_event(what)
    assert node.hangs_up()
    assert node.ended().code == code


@isolations
def test_a_runner_that_is_not_wanted_ends(start_node: StartNode, isolation: str) -> None:
    blank, waiting = start_node(), start_node()
    blank.hang_up()
    waiting.load("counting", isolation)
    waiting.hang_up()
    assert [each.ended().code for each in (blank, waiting)] == [0, 0]
