"""Lists: what they are sorted and filtered by, and how their pages follow one another."""

import pytest

from tests.functional.test_managing import answering, reupload
from tests.packages import ECHO
from tests.stack import Stack


@pytest.fixture(scope="module")
def stack(null_stack: Stack) -> Stack:
    return null_stack


def test_lists_are_sorted_and_filtered(stack: Stack) -> None:
    names = [f"sorted-{letter}" for letter in "bca"]
    made = {name: stack.function(ECHO, name=name, type="wait_for_response") for name in names}
    listed = stack.get("/v1/functions?sort=name:asc&type=wait_for_response&limit=1000")["functions"]
    assert [each["name"] for each in listed if each["name"] in made] == sorted(names)
    page = stack.get(f"/v1/functions?sort=name:desc&marker={made['sorted-c']}&limit=2")
    assert [each["name"] for each in page["functions"]] == ["sorted-b", "sorted-a"]
    assert [each["name"] for each in stack.get("/v1/functions?name=sorted-a")["functions"]] == [
        "sorted-a"
    ]
    assert stack.get("/v1/functions?runtime=none")["functions"] == []
    function = stack.function(ECHO)
    sent = [stack.run(function)["request_id"] for _ in range(3)]
    path = f"/v1/requests?function_id={function}"
    assert [r["request_id"] for r in stack.get(f"{path}&sort=created_at:asc")["requests"]] == sent
    assert stack.get(f"{path}&status=error")["requests"] == []


def test_a_page_that_is_the_last_says_so(stack: Stack) -> None:
    function = stack.function(ECHO)
    sent = [stack.run(function)["request_id"] for _ in range(4)]
    path = f"/v1/requests?function_id={function}&sort=created_at:asc&limit=2"
    first = stack.get(path)
    assert [each["request_id"] for each in first["requests"]] == sent[:2]
    assert first["next"] == sent[1]
    last = stack.get(f"{path}&marker={first['next']}")
    assert [each["request_id"] for each in last["requests"]] == sent[2:]
    assert last["next"] is None
    assert stack.get(f"{path}&marker={sent[3]}") == {"requests": [], "next": None}


def test_short_lists_have_pages_too(stack: Stack) -> None:
    function = stack.function(answering(1))
    for number in (2, 3):
        reupload(stack, function, answering(number))
    path = f"/v1/functions/{function}/versions?limit=2"
    first = stack.get(path)
    assert ([each["version"] for each in first["versions"]], first["next"]) == ([1, 2], "2")
    last = stack.get(f"{path}&marker=2")
    assert ([each["version"] for each in last["versions"]], last["next"]) == ([3], None)
    daemons = stack.get("/v1/cluster")["daemons"]
    page = stack.get(f"/v1/cluster?limit=1&marker={daemons[0]['daemon_id']}")
    assert [each["daemon_id"] for each in page["daemons"]] == [daemons[1]["daemon_id"]]
    assert page["next"] == daemons[1]["daemon_id"]
    assert stack.get("/v1/runtimes?limit=1")["next"] is None
