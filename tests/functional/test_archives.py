"""Archives in a folder and in Swift, and a node that shares nothing with the rest of the stack."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from pratai_common import limits
from pratai_common.tokens import load_key
from tests.functional.test_nodes import Node, daemon
from tests.packages import ECHO, package
from tests.refusals import refused
from tests.stack import Stack
from tests.swift import Swift
from tests.unit.test_node_routes import claim_of
from tests.waiting import until

LARGE = "x" * limits.MIB
MEMORY = 96
PATIENT = package(
    """
    import time

    def main(payload=None):
        print("begins", flush=True)
        time.sleep(payload["sleep"])
        return "x" * payload["size"]
    """
)


class Far(NamedTuple):
    """A stack whose own node is too small for anything, and a node that has a folder of its own."""

    stack: Stack
    node: Node
    state: Path


@pytest.fixture(scope="module", params=["filesystem", "swift"])
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    settings: dict[str, dict[str, Any]] = {"driver": {"engine": "null", "memory": 64}}
    if request.param == "swift":
        swift: Swift = request.getfixturevalue("swift")
        settings |= swift.settings("far")
    with TemporaryDirectory() as folder, TemporaryDirectory() as state:
        stack = Stack(Path(folder), settings).start()
        node = Node(stack, state=Path(state), engine="docker", memory=2048)
        yield Far(stack, node, Path(state))
        node.end(signal.SIGTERM)
        stack.stop()


def kill_api(stack: Stack) -> None:
    """Kill gunicorn and its worker, which would answer for a while without it."""
    (master,) = stack.pids()["pratai-api"]
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in (master, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def patient(far: Far) -> str:
    return far.stack.function(PATIENT, memory=MEMORY)


def test_a_node_that_shares_nothing_does_all_there_is_to_do(far: Far) -> None:
    function = far.stack.function(ECHO, memory=MEMORY)
    ended = far.stack.run(function, LARGE)
    assert (ended["status"], ended["node"]) == ("success", far.node.name)
    assert ended["payload"] == ended["result"] == LARGE
    answers = far.stack.function(ECHO, memory=MEMORY, type="wait_for_response")
    answer = far.stack.call("POST", f"/v1/functions/{answers}", json={"payload": LARGE})
    assert (answer.status_code, answer.json()) == (200, LARGE)
    # It has no key, no copy of an archive and no result that it keeps.
    assert [each.name for each in far.state.iterdir()] == ["nodes"]
    spool = far.state / "nodes" / far.node.name / "spool"
    until(lambda: list(spool.glob("*.result")) == [], "all results are acknowledged")


def test_archives_are_where_they_should_be(far: Far, request: pytest.FixtureRequest) -> None:
    far.stack.function(ECHO, memory=MEMORY)
    in_folder = list((far.stack.folder / "state").glob("archives/*/*"))
    assert bool(in_folder) == ("filesystem" in request.node.name)


def test_addresses_stand_in_no_log(far: Far) -> None:
    ended = far.stack.run(far.stack.function(ECHO, memory=MEMORY), LARGE)
    logs = [*(far.stack.folder / "log").iterdir(), *far.stack.folder.glob("*.log")]
    text = "".join(path.read_text() for path in logs)
    assert f"[request: {ended['request_id']}]" in text
    for secret in ("signature=", "temp_url_sig=", "X-Pratai-Claim"):
        assert secret not in text


def test_the_api_is_killed_while_a_large_result_is_made(far: Far, patient: str) -> None:
    request_id = far.stack.submit(patient, {"sleep": 1, "size": 3 * limits.MIB})
    until(lambda: far.stack.logs(request_id), "it runs")
    kill_api(far.stack)
    until(far.stack._up, "the API is back")
    ended = far.stack.ended(request_id)
    assert (ended["status"], len(ended["attempts"])) == ("success", 1)
    assert ended["result"] == "x" * 3 * limits.MIB


def test_a_larger_output_than_there_can_be(far: Far) -> None:
    key = load_key(far.stack.folder / "state" / "keys" / "job-tokens")
    headers = {"X-Pratai-Claim": claim_of(key)}
    content = b" " * (limits.MAX_BODY_BYTES + 1)
    answer = far.stack.call("POST", "/v1/node/results", data=content, headers=headers)
    message = f"the body is larger than {limits.MAX_BODY_BYTES} bytes"
    assert refused(answer, 413, "too_large") == message
    answer = far.stack.call("POST", "/v1/node/results", data=content[1:], headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("far", ["swift"], indirect=True)
def test_swift_is_away_when_an_input_is_to_be_fetched(far: Far, patient: str, swift: Swift) -> None:
    """The request waits until it is back, and whoever would bring more is told to come later."""
    payload = {"sleep": 0, "size": 1, "large": LARGE}
    assert far.stack.run(patient, payload)["result"] == "x"
    assert far.node.end(signal.SIGTERM) == 0
    request_id = far.stack.submit(patient, payload)
    with swift.service.away():
        node = Node(far.stack, state=far.state, engine="docker", memory=2048)
        until(
            lambda: far.stack.get(f"/v1/requests/{request_id}")["attempts"][:1],
            "the node has tried it",
        )
        path = f"/v1/functions/{patient}"
        answer = far.stack.call("POST", path, json={"payload": {**payload, "large": LARGE * 2}})
        refused(answer, 503, "store_unavailable")
        assert answer.headers["Retry-After"] == "1"
        until(
            lambda: far.stack.get(f"/v1/requests/{request_id}")["attempts"][0]["reason"],
            "the node gives it up",
        )
    ended = far.stack.ended(request_id)
    assert (ended["status"], ended["result"], ended["node"]) == ("success", "x", node.name)
    assert ended["attempts"][0]["reason"] == "node_lost"
    assert node.end(signal.SIGTERM) == 0
    until(lambda: daemon(far.stack, node.name) is None, "it said goodbye")
