"""A daemon is killed at the worst moment, and what was accepted still ends."""

import itertools
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

SLEEPS = package("import time\ndef main(p=None):\n    time.sleep(p)\n    return p\n")
pytestmark = pytest.mark.alone
"""A node that finds no processor for two seconds is lost, and what it ran is repeated."""

SHORT_LEASES = {
    "scheduler": {"node_lease_seconds": 2, "lease_seconds": 2, "adopt_seconds": 2},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("killed"), SHORT_LEASES).start()
    yield stack
    stack.stop()


@pytest.fixture
def mine(running: Stack) -> Iterator[Stack]:
    """A stack whose daemons may be killed: each is there again after the test."""
    before = set(running.pids())
    yield running
    for pid in itertools.chain(*running.pids().values()):
        os.kill(pid, signal.SIGCONT)
    until(lambda: set(running.pids()) == before, "what was killed was started again")
    until(running._up, "the stack runs")


def _restarted(stack: Stack, script: str, former: int) -> bool:
    return stack.pids().get(script, [former])[0] != former


def test_the_scheduler_between_acceptance_and_dispatch(mine: Stack) -> None:
    function = mine.function(SLEEPS)
    scheduler = mine.pids()["pratai-scheduler"][0]
    mine.halt(scheduler)
    sent = [mine.submit(function, 0) for _ in range(5)]
    states = [mine.get(f"/v1/requests/{each}") for each in sent]
    assert [(each["status"], each["attempts"]) for each in states] == [("queued", [])] * 5
    os.kill(scheduler, signal.SIGKILL)
    until(lambda: _restarted(mine, "pratai-scheduler", scheduler), "it was started again")
    ended = [mine.ended(each) for each in sent]
    assert [(each["status"], each["result"]) for each in ended] == [("success", 0)] * 5
    assert [len(each["attempts"]) for each in ended] == [1] * 5


def test_the_scheduler_while_a_request_runs(mine: Stack) -> None:
    function = mine.function(SLEEPS)
    request_id = mine.submit(function, 4)
    until(lambda: mine.get(f"/v1/requests/{request_id}")["status"] == "running", "it runs")
    os.kill(mine.pids()["pratai-scheduler"][0], signal.SIGKILL)
    ended = mine.ended(request_id)
    assert (ended["result"], len(ended["attempts"])) == (4, 1)


def test_the_collector_while_results_arrive(mine: Stack) -> None:
    function = mine.function(SLEEPS)
    collector = mine.pids()["pratai-collector"][0]
    mine.halt(collector)
    sent = [mine.submit(function, 0) for _ in range(3)]
    spool = mine.folder / "state" / "nodes" / mine.node / "spool"
    until(lambda: len(list(spool.glob("*.result"))) == 3, "the results are in the spool")
    os.kill(collector, signal.SIGKILL)
    ended = [mine.ended(each) for each in sent]
    assert [(each["result"], len(each["attempts"])) for each in ended] == [(0, 1)] * 3
    until(lambda: not list(spool.iterdir()), "the spool is empty")


def test_the_api_while_a_caller_waits(mine: Stack) -> None:
    """The caller hears nothing; with the same key it gets the result of the one run later."""
    function = mine.function(SLEEPS, type="wait_for_response")
    path, key = f"/v1/functions/{function}", {"Idempotency-Key": "once"}
    broken: list[requests.RequestException] = []

    def call() -> None:
        try:
            mine.call("POST", path, json={"payload": 3}, headers=key)
        except requests.RequestException as error:
            broken.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    its = f"/v1/requests?function_id={function}"
    until(lambda: mine.get(f"{its}&status=running")["requests"], "it runs")
    arbiter = mine.pids()["pratai-api"][0]
    workers = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
    for pid in (arbiter, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)
    caller.join()
    assert len(broken) == 1
    until(mine._up, "the stack runs")
    again = mine.call("POST", path, json={"payload": 3}, headers=key)
    assert (again.status_code, again.json()) == (200, 3)
    listed = mine.get(its)["requests"]
    assert [(each["status"], len(each["attempts"])) for each in listed] == [("success", 1)]
