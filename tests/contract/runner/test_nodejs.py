"""What the runner of JavaScript makes of what only JavaScript has."""

from typing import Any

import pytest

from tests.contract.runner.conftest import StartNode
from tests.contract.runner.node import Node, Runtime
from tests.waiting import until

NO_JSON = "main returned no JSON: "
UNSETTLED = "Error: main's promise is never settled: nothing is left that could"


@pytest.fixture(autouse=True)
def _nodejs(runtime: Runtime) -> None:
    if runtime.name != "nodejs":
        pytest.skip("of JavaScript alone")


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ("resolves", {"late": True}),
        ("returns_nothing", None),
        ("returns_a_date", "1970-01-01T00:00:00.000Z"),
        ("minds_its_own", "minded"),
    ],
)
def test_what_comes_of_it(node: Node, what: str, result: object) -> None:
    node.load("doing", "container")
    assert node.event(what).result == result


@pytest.mark.parametrize(
    ("what", "head", "result"),
    [
        (
            "responds_with_bytes",
            {"status": 200, "headers": {"A": "b"}, "encoding": "base64"},
            "AP8=",
        ),
        (
            "responds_with_json",
            {"status": 200, "headers": {"x-a": "b"}, "encoding": "json"},
            {"a": 1},
        ),
    ],
)
def test_heads(node: Node, what: str, head: dict[str, Any], result: object) -> None:
    node.load("doing", "container")
    said = node.event(what)
    assert (said.header["head"], said.result) == (head, result)


@pytest.mark.parametrize("isolation", ["container", "shared"])
def test_what_is_no_result(start_node: StartNode, isolation: str) -> None:
    expected = {
        "returns_nan": "NaN in '1'",
        "returns_infinity": "-Infinity",
        "returns_a_bigint": "a bigint",
        "returns_a_function": "a function in '0'",
        "returns_a_promise_within": "a promise that was not awaited in 'value'",
        "returns_an_error": "an Error",
        "returns_a_set": "a Set",
        "returns_what_refuses": "Error: not me",
    }
    if isolation == "container":  # an event each: one will do
        expected = {"returns_nan": expected["returns_nan"]}
    node = start_node()
    node.load("doing", isolation)
    for what, message in expected.items():
        reason, said = node.event(what).failure
        assert reason == "bad_result"
        assert said.startswith(NO_JSON)
        assert said.endswith(message)
        if isolation == "shared":
            node.ready()


def test_what_is_no_response(node: Node) -> None:
    node.load("doing", "shared")
    expected = {
        "returns_a_circle": f"{NO_JSON}TypeError: Converting circular structure to JSON",
        "responds_with_no_headers": "the Response's status or headers are none: TypeError",
        "responds_with_no_status": "the Response's status or headers are none: TypeError: NaN",
        "responds_with_too_many": "the Response's headers are too large",
    }
    for what, message in expected.items():
        reason, said = node.event(what).failure
        assert (reason, said[: len(message)]) == ("bad_result", message)
        node.ready()


def test_what_is_thrown_need_be_no_error(node: Node) -> None:
    node.load("doing", "shared")
    expected = {
        "rejects": "RangeError: nothing found later",
        "throws_no_error": "{ code: 7 }",
        "throws_nothing": "undefined",
        "throws_what_cannot_be_shown": "an object that cannot be shown",
    }
    for what, message in expected.items():
        assert node.event(what).failure == ("exception", message)
        assert message in node.printed()
        node.ready()


def test_the_runners_own_frames_are_not_shown(node: Node) -> None:
    node.load("doing", "container")
    assert node.event("raises").failure == ("exception", "RangeError: nothing found")
    printed = node.printed()
    assert "at Object.raises" in printed
    assert "/opt/pratai/runner" not in printed


@pytest.mark.parametrize("isolation", ["container", "shared"])
@pytest.mark.parametrize(
    ("what", "reason", "message"),
    [
        ("rejects_elsewhere", "exception", "RangeError: nobody waits for this"),
        ("throws_elsewhere", "exception", "RangeError: nobody catches this"),
        ("exits_elsewhere", "exit_code", "process.exit(4)"),
        ("waits_for_nothing", "exception", UNSETTLED),
    ],
)
def test_what_nobody_waits_for_ends_the_process(
    node: Node, isolation: str, what: str, reason: str, message: str
) -> None:
    node.load("doing", isolation)
    assert node.event(what).failure == (reason, message)
    assert node.hangs_up()
    assert node.ended().code == 0


def test_a_module_that_never_ends(node: Node) -> None:
    said = node.load("waiting.mjs", "container")
    assert said.failure == (
        "exception",
        "Error: the module's top level is never settled: nothing is left that could",
    )


@pytest.mark.parametrize("name", ["as_module.mjs", "as_script.cjs"])
def test_both_kinds_of_modules(node: Node, name: str) -> None:
    assert node.load(name, "shared").header["op"] == "next"
    assert node.event([1]).result == {"payload": [1], "request": "r"}


def test_what_goes_on_after_the_answer_ends_with_the_container(node: Node) -> None:
    node.load("doing", "container")
    assert node.event("answers_and_goes_on").result == "answered"
    assert node.ended().code == 0


def test_what_goes_on_after_the_answer_goes_on_where_all_is_shared(node: Node) -> None:
    node.load("doing", "shared")
    assert node.event("answers_and_goes_on").result == "answered"
    node.ready()
    node.prints("chatter\n")


def test_nothing_of_what_was_printed_is_lost(node: Node) -> None:
    """Nor where nobody reads it while the process ends."""
    node.load("doing", "container")
    node.send_event("prints_much")
    seen: list[str] = []

    def all_is_there() -> bool:
        seen.append(node.printed())
        return "".join(seen).count("\n") >= 2000

    until(all_is_there, "all is printed")
    assert "".join(seen) == f"{'x' * 99}\n" * 2000
    assert node.hear().failure == ("exit_code", "process.exit(0)")


def test_too_much_memory_is_the_containers_affair(node: Node) -> None:
    """And not that of a heap with a limit of its own."""
    node.load("doing", "container")
    node.send_event("exhausts")
    assert node.hangs_up()
    assert node.ended().out_of_memory
