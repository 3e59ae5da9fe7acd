"""A daemon is killed at the worst moment, and what was accepted still ends."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

MODULE = "import time\ndef main(p=None):\n    time.sleep(p)\n    return p\n"
SHORT_LEASES = {
    "scheduler": {"node_lease_seconds": 2, "lease_seconds": 2, "adopt_seconds": 2},
}


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path, SHORT_LEASES).start()
    yield stack
    stack.stop()


def _restarted(stack: Stack, script: str, former: int) -> bool:
    return stack.pids().get(script, [former])[0] != former


def test_the_scheduler_between_acceptance_and_dispatch(mine: Stack) -> None:
    function = mine.function(package(MODULE))
    scheduler = mine.pids()["pratai-scheduler"][0]
    os.kill(scheduler, signal.SIGSTOP)
    sent = [mine.submit(function, 0) for _ in range(5)]
    states = [mine.get(f"/v1/requests/{each}") for each in sent]
    assert [(each["status"], each["attempts"]) for each in states] == [("queued", [])] * 5
    os.kill(scheduler, signal.SIGKILL)
    until(lambda: _restarted(mine, "pratai-scheduler", scheduler), "it was started again")
    ended = [mine.ended(each) for each in sent]
    assert [(each["status"], each["result"]) for each in ended] == [("success", 0)] * 5
    assert [len(each["attempts"]) for each in ended] == [1] * 5


def test_the_scheduler_while_a_request_runs(mine: Stack) -> None:
    function = mine.function(package(MODULE))
    request_id = mine.submit(function, 4)
    until(lambda: mine.get(f"/v1/requests/{request_id}")["status"] == "running", "it runs")
    os.kill(mine.pids()["pratai-scheduler"][0], signal.SIGKILL)
    ended = mine.ended(request_id)
    assert (ended["result"], len(ended["attempts"])) == (4, 1)


def test_the_node_while_a_request_runs(mine: Stack) -> None:
    function = mine.function(package(MODULE))
    request_id = mine.submit(function, 3)
    until(lambda: mine.get(f"/v1/requests/{request_id}")["status"] == "running", "it runs")
    os.kill(mine.pids()["pratai-driver"][0], signal.SIGKILL)
    ended = mine.ended(request_id)
    assert ended["result"] == 3
    assert [each["reason"] for each in ended["attempts"]] == ["node_lost", None]


def test_the_collector_while_results_arrive(mine: Stack) -> None:
    function = mine.function(package(MODULE))
    collector = mine.pids()["pratai-collector"][0]
    os.kill(collector, signal.SIGSTOP)
    sent = [mine.submit(function, 0) for _ in range(3)]
    spool = mine.folder / "state" / "nodes" / mine.node / "spool"
    until(lambda: len(list(spool.glob("*.result"))) == 3, "the results are in the spool")
    os.kill(collector, signal.SIGKILL)
    ended = [mine.ended(each) for each in sent]
    assert [(each["result"], len(each["attempts"])) for each in ended] == [(0, 1)] * 3
    until(lambda: not list(spool.iterdir()), "the spool is empty")


def test_the_api_while_a_caller_waits(mine: Stack) -> None:
    """The caller hears nothing; with the same key it gets the result of the one run later."""
    function = mine.function(package(MODULE), type="wait_for_response")
    path, key = f"/v1/functions/{function}", {"Idempotency-Key": "once"}
    broken: list[requests.RequestException] = []

    def call() -> None:
        try:
            mine.call("POST", path, json={"payload": 3}, headers=key)
        except requests.RequestException as error:
            broken.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    until(lambda: mine.get("/v1/requests?status=running")["requests"], "it runs")
    arbiter = mine.pids()["pratai-api"][0]
    workers = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
    for pid in (arbiter, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)
    caller.join()
    assert len(broken) == 1
    until(mine._up, "the stack runs")
    again = mine.call("POST", path, json={"payload": 3}, headers=key)
    assert (again.status_code, again.json()) == (200, 3)
    listed = mine.get("/v1/requests")["requests"]
    assert [(each["status"], len(each["attempts"])) for each in listed] == [("success", 1)]


def test_the_agent_between_ticks(mine: Stack) -> None:
    """Ticks go on, and none of them is run twice."""
    function = mine.function(
        package("def main(p=None): return p\n"), event="timer", frequency=1 / 60
    )
    path = f"/v1/requests?function_id={function}&status=success&sort=created_at:asc"

    def ticks() -> list[int]:
        found = mine.get(path)["requests"]
        return [mine.get(f"/v1/requests/{each['request_id']}")["result"]["tick"] for each in found]

    until(lambda: len(ticks()) >= 2, "it ticks")
    agent = mine.pids()["pratai-agent"][0]
    os.kill(agent, signal.SIGKILL)
    until(lambda: _restarted(mine, "pratai-agent", agent), "it was started again")
    before = len(ticks())
    until(lambda: len(ticks()) >= before + 2, "it ticks again")
    seen = ticks()
    assert len(set(seen)) == len(seen)
