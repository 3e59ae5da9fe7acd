"""What the events of one function share, on the running stack: by its isolation."""

from pathlib import Path
from typing import Any

import pytest

from tests.packages import ECHO, package
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

COUNTING = package(
    """
    import os
    import time
    import uuid

    from pratai import context

    IMPORTED = uuid.uuid4().hex
    EVENTS = []


    def main(payload=None):
        if payload == "end":
            os._exit(5)
        if payload == "take long":
            time.sleep(600)
        if payload == "take much":
            return len(b"x" * 1_000_000_000)
        EVENTS.append(payload)
        print(f"event {payload}")
        return {
            "imported": IMPORTED,
            "events": len(EVENTS),
            "request_id": context.request_id,
            "remaining": context.remaining,
        }
    """
)
THREADED = package(
    """
    import threading

    threading.Thread(target=threading.Event().wait, daemon=True).start()


    def main(payload=None):
        print("and on")
        return payload
    """
)


def handled(stack: Stack, function: str, payload: Any = None) -> dict[str, Any]:
    """Return a request that succeeded, and was told what is its own."""
    request = stack.run(function, payload)
    assert request["status"] == "success", request
    assert request["result"]["request_id"] == request["request_id"]
    assert 0 < request["result"]["remaining"] <= 60
    assert stack.logs(request["request_id"]) == f"event {payload}\n"
    return request


def pair(stack: Stack, function: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two requests that one container handled: the second may find that busy yet, which
    cleans up behind the answer.
    """
    requests = [handled(stack, function, 0)]

    def look() -> tuple[dict[str, Any], dict[str, Any]] | None:
        requests.append(handled(stack, function, len(requests)))
        return next(
            (
                (former, requests[-1])
                for former in requests[:-1]
                if former["result"]["imported"] == requests[-1]["result"]["imported"]
            ),
            None,
        )

    return until(look, "two events in one container")


def test_container_shares_nothing(stack: Stack) -> None:
    function = stack.function(COUNTING)
    requests = [handled(stack, function, number) for number in range(4)]
    assert {each["isolation"] for each in requests} == {"container"}
    assert len({each["result"]["imported"] for each in requests}) == 4
    assert {each["result"]["events"] for each in requests} == {1}


def test_process_shares_what_the_import_made(stack: Stack) -> None:
    for request in pair(stack, stack.function(COUNTING, isolation="process")):
        assert (request["isolation"], request["result"]["events"]) == ("process", 1)


def test_shared_shares_what_events_made(stack: Stack) -> None:
    former, later = pair(stack, stack.function(COUNTING, isolation="shared"))
    assert {former["isolation"], later["isolation"]} == {"shared"}
    assert later["result"]["events"] > former["result"]["events"]
    assert later["cold"] is False


@pytest.mark.parametrize("isolation", ["process", "shared"])
@pytest.mark.parametrize(
    ("payload", "reason", "message"),
    [
        ("end", "exit_code", "its process ended with code 5"),
        ("take long", "timeout", "it did not end within 5 s (imports and main together)"),
        ("take much", "oom", "it needed more memory than the function has"),
    ],
)
def test_an_event_that_fares_badly_harms_no_other(
    stack: Stack, isolation: str, payload: str, reason: str, message: str
) -> None:
    function = stack.function(COUNTING, isolation=isolation, timeout=5)
    pair(stack, function)
    ended = stack.run(function, payload)
    assert (ended["reason"], ended["message"]) == (reason, message)
    handled(stack, function, "next")


def test_a_change_holds_for_later_events(stack: Stack) -> None:
    function = stack.function(COUNTING)
    assert handled(stack, function)["isolation"] == "container"
    changed = stack.call("PATCH", f"/v1/functions/{function}", json={"isolation": "shared"})
    assert changed.json()["isolation"] == "shared"
    until(lambda: handled(stack, function)["isolation"] == "shared", "the change holds")
    former, later = pair(stack, function)
    assert later["result"]["events"] > former["result"]["events"]


def test_what_cannot_be_copied_says_so(stack: Stack) -> None:
    request = stack.run(stack.function(THREADED, isolation="process"), 7)
    assert (request["status"], request["result"]) == ("success", 7)
    assert stack.logs(request["request_id"]) == (
        "[isolation container, not process: its import started threads]\nand on\n"
    )


def test_the_operator_says_what_may_be_shared(tmp_path: Path) -> None:
    settings = {
        "driver": {"engine": "null"},
        "functions": {"isolations": "container,process", "default_isolation": "process"},
    }
    stack = Stack(tmp_path, settings).start()
    try:
        message = refused(
            stack.upload(ECHO, name="f", isolation="shared"), 403, "isolation_not_allowed"
        )
        assert message == "a function may not have the isolation shared, but container or process"
        function = stack.function(ECHO, name="f")
        assert stack.get(f"/v1/functions/{function}")["isolation"] == "process"
        assert stack.run(function, 7)["result"] == 7
    finally:
        stack.stop()
