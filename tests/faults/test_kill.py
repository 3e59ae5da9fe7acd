"""A daemon is killed at the worst moment, and what was accepted still ends."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

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
