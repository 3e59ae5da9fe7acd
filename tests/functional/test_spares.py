"""Containers that wait for events: who finds one, what becomes of one, and that none is left."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.held import HELD, let_go
from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

BURST = 500
SETTINGS = {
    "driver": {"memory": 768, "slots": 4},
    "build": {"memory": 512},
    "pool": {"memory_percent": 100},
}
COUNTING = package(
    """
    import os
    import socket

    print("imported")
    CALLS = []

    def main(payload=None):
        CALLS.append(1)
        print(f"event {payload}")
        return {"calls": len(CALLS), "container": socket.gethostname(), "pid": os.getpid()}
    """
)
HOLDING = package(
    """
    import held

    def main(payload=None):
        print("begins", flush=True)
        held.wait()
    """,
    **HELD,
)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("spares"), SETTINGS).start()
    yield stack
    stack.stop()
    assert containers(stack) == []
    assert not list((stack.folder / "state" / "nodes" / stack.node / "runs").iterdir())


def containers(stack: Stack) -> list[str]:
    command = ["docker", "ps", "-aq", "--no-trunc", "--filter", f"label=pratai.node={stack.node}"]
    return subprocess.check_output(command, text=True).split()


def warm_run(stack: Stack, function: str, payload: Any = None) -> dict[str, Any]:
    """Return a run that found its container ready: most often the second one."""

    def look() -> dict[str, Any] | None:
        request = stack.run(function, payload)
        assert request["status"] == "success", request
        return request if request["cold"] is False else None

    return until(look, "an event finds a spare") or {}


def update(stack: Stack, function: str, content: bytes) -> None:
    form = {"zip_file": ("f.zip", content)}
    answer = stack.call("PATCH", f"/v1/functions/{function}", files=form)
    assert answer.status_code == 202, answer.text
    version = answer.json()["version"]
    until(
        lambda: stack.get(f"/v1/functions/{function}")["version"] == version,
        "the new version is active",
        300,
    )


def test_a_later_event_finds_a_spare_that_nobody_used(mine: Stack) -> None:
    function = mine.function(COUNTING)
    first = mine.run(function, 1)
    assert first["cold"] is True
    second = warm_run(mine, function, 2)
    assert second["isolation"] == "container"
    assert second["result"]["calls"] == 1
    assert second["result"]["container"] != first["result"]["container"]
    assert second["init_ms"] > 0
    assert mine.logs(first["request_id"]) == "imported\nevent 1\n"
    assert mine.logs(second["request_id"]) == "imported\nevent 2\n"


def test_no_event_gets_the_code_of_a_former_version(mine: Stack) -> None:
    module = "def main(payload=None):\n    return {}\n"
    function = mine.function(package(module.format(1)))
    assert warm_run(mine, function)["result"] == 1
    update(mine, function, package(module.format(2)))
    ended = [mine.run(function) for _ in range(5)]
    assert {(each["result"], each["version"]) for each in ended} == {(2, 2)}
    assert warm_run(mine, function)["result"] == 2


def test_a_spare_that_was_killed_gets_no_event(mine: Stack) -> None:
    function = mine.function(COUNTING)
    mine.run(function)
    for _ in range(3):
        until(lambda: containers(mine), "something waits")
        subprocess.run(["docker", "kill", *containers(mine)], check=False, capture_output=True)
        assert mine.run(function)["status"] == "success"
    assert warm_run(mine, function)["result"]["calls"] == 1


def test_an_import_that_fails_is_told_by_each_event(mine: Stack) -> None:
    raises = mine.function(package("raise ValueError('no')\n\ndef main(payload=None): pass\n"))
    hangs = mine.function(
        package("import time\ntime.sleep(60)\n\ndef main(payload=None): pass\n"), timeout=1
    )
    for _ in range(2):
        assert mine.run(raises)["message"] == "ValueError: no"
        ended = mine.run(hangs)
        assert (ended["status"], ended["reason"]) == ("timeout", "timeout")
        assert ended["message"] == "it did not end within 1 s (imports and main together)"


def test_an_event_without_a_spare_gets_a_blank_container(mine: Stack) -> None:
    module = """
    import os
    import socket
    import addition
    import held

    def main(payload=None):
        print(socket.gethostname(), flush=True)
        held.wait()
        return [addition.VALUE, os.environ["GREETING"]]
    """
    function = mine.function(
        package(module, addition__py="VALUE = 7\n", **HELD),
        spares=0,
        memory=64,
        environment={"GREETING": "hello"},
    )

    def image() -> str:
        """Return what the container of an event was started from."""
        request_id = mine.submit(function)
        name = until(lambda: mine.logs(request_id), "it runs").strip()
        command = ["docker", "inspect", "--format", "{{.Config.Image}}", name]
        seen = subprocess.check_output(command, text=True)
        let_go(name)
        ended = mine.ended(request_id)
        assert (ended["result"], ended["cold"]) == ([7, "hello"], True)
        return seen

    until(lambda: "/runtime-" in image(), "an event finds a blank container")


@pytest.mark.alone  # for it starts as many containers as both processors can
def test_a_burst_is_answered(mine: Stack) -> None:
    function = mine.function(COUNTING)
    warm_run(mine, function)
    sent = [mine.submit(function, number) for number in range(BURST)]
    ended = [mine.ended(each) for each in sent]
    assert {each["status"] for each in ended} == {"success"}
    assert len({each["result"]["container"] for each in ended}) == BURST
    for number, each in enumerate(ended):
        assert mine.logs(each["request_id"]) == f"imported\nevent {number}\n"


def test_spares_go_where_a_run_wants_their_memory(mine: Stack) -> None:
    small, large = mine.function(COUNTING), mine.function(HOLDING, memory=768)
    warm_run(mine, small)
    until(lambda: containers(mine), "a spare waits")
    request_id = mine.submit(large)
    until(lambda: "begins" in mine.logs(request_id), "it runs")
    (container,) = containers(mine)
    let_go(container)
    assert mine.ended(request_id)["status"] == "success"
    warm_run(mine, small)


@pytest.mark.parametrize("isolation", ["process", "shared"])
def test_a_container_handles_event_after_event(mine: Stack, isolation: str) -> None:
    function = mine.function(COUNTING, isolation=isolation)
    first = mine.run(function, 0)
    assert (first["cold"], first["isolation"]) == (True, isolation)
    calls = {first["result"]["container"]: 1}
    again = 0
    for number in range(1, 6):
        # Another container may have been started for an event that came before this one was free.
        later = warm_run(mine, function, number)
        found, had_events = later["result"], later["init_ms"] == 0
        former = calls.get(found["container"], 1) if had_events else 0
        assert found["calls"] == (former + 1 if isolation == "shared" else 1)
        assert mine.logs(later["request_id"]).endswith(f"event {number}\n")
        calls[found["container"]] = found["calls"]
        again += had_events
    assert again > 1


@pytest.mark.parametrize("isolation", ["process", "shared"])
def test_a_container_in_trouble_handles_no_other_event(mine: Stack, isolation: str) -> None:
    module = """
    import os
    import socket
    import time

    def main(payload=None):
        print(socket.gethostname(), flush=True)
        if payload == "hang":
            time.sleep(60)
        if payload == "end":
            os._exit(3)
        return socket.gethostname()
    """
    function = mine.function(package(module), isolation=isolation, timeout=2)
    assert mine.run(function)["status"] == "success"
    for trouble, reason in (("hang", "timeout"), ("end", "exit_code")):
        ended = mine.run(function, trouble)
        assert ended["reason"] == reason
        its = mine.logs(ended["request_id"]).splitlines()[0]
        again = mine.run(function)
        assert again["status"] == "success"
        # A process of its own that ends leaves the others' container as it was.
        assert again["result"] != its or (isolation, trouble) == ("process", "end")


def test_a_function_that_has_threads_cannot_be_copied_and_says_so(mine: Stack) -> None:
    module = """
    import threading

    threading.Thread(target=threading.Event().wait, daemon=True).start()

    def main(payload=None):
        return payload
    """
    function = mine.function(package(module), isolation="process")
    for number in range(2):
        ended = mine.run(function, number)
        assert (ended["status"], ended["isolation"]) == ("success", "container")
        assert mine.logs(ended["request_id"]).startswith("[isolation container, not process: ")


def test_events_of_one_process_may_come_together(mine: Stack) -> None:
    function = mine.function(COUNTING, isolation="shared", type="wait_for_response")
    results: list[dict[str, Any]] = []

    def call() -> None:
        path = f"/v1/functions/{function}"
        results.extend(mine.call("POST", path, json={"payload": 1}).json() for _ in range(5))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert len({each["container"] for each in results}) <= 4


def test_a_node_that_ends_leaves_no_spare(tmp_path: Path) -> None:
    stack = Stack(tmp_path, SETTINGS).start()
    try:
        warm_run(stack, stack.function(COUNTING))
        until(lambda: containers(stack), "a spare waits")
    finally:
        stack.stop()
    assert containers(stack) == []
