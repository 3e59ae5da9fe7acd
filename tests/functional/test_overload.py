"""More than nodes can run: three API processes keep to one quota, the scheduler holds a window of a
long backlog, and who has one request does not wait behind who has 100,000.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from pratai_common.clock import iso, now_ms
from pratai_common.store.sqlite import SQLiteStore
from tests import big_tenant
from tests.packages import ECHO
from tests.ports import free_port
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

QUOTA = 60
NUMBERS = (1, 2, 3)
DAY_MS = 24 * 3600 * 1000
_MOST_MIB = 400
"""Of a scheduler: a window of 10,000 requests, the inputs of a tenth of them, and its program."""


class Three(Stack):
    """A stack with three API processes, and nothing before them; ``url`` is that of the first."""

    def __init__(self, folder: Path) -> None:
        self.apis = [free_port() for _ in NUMBERS]
        programs = ["pratai-collector", "pratai-scheduler", "pratai-driver", "pratai-agent"]
        programs += [f"pratai-api@{number}" for number in NUMBERS]
        settings: dict[str, dict[str, Any]] = {
            "archives": {"node_url": f"http://127.0.0.1:{self.apis[0]}"},
            "driver": {"engine": "null"},
            "quota": {"queued_requests": QUOTA},
            "launcher": {"programs": ",".join(programs)},
        }
        super().__init__(folder, settings)
        self.url = f"http://127.0.0.1:{self.apis[0]}"
        for number, port in zip(NUMBERS, self.apis, strict=True):
            text = f"[DEFAULT]\nlog_file = pratai-api@{number}.log\n[api]\nport = {port}\n"
            (folder / f"pratai-api@{number}.conf").write_text(text)

    def put_off(self, port: int, function: str) -> requests.Response:
        """Ask one process for a run that is due when all of this is long over."""
        with requests.Session() as session:
            session.trust_env = False
            url = f"http://127.0.0.1:{port}/v1/functions/{function}"
            body = {"payload": 1, "not_before": iso(now_ms() + DAY_MS)}
            return session.post(url, json=body, timeout=60)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    made = Three(tmp_path)
    made.start()
    until(lambda: all(map(_answers, made.apis)), "all three answer")
    yield made
    made.stop()


def _answers(port: int) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"http://127.0.0.1:{port}/healthcheck", timeout=5).ok
        except requests.ConnectionError:
            return False


@contextmanager
def opened(stack: Stack) -> Iterator[SQLiteStore]:
    store = SQLiteStore(stack.folder / "state" / "store.sqlite")
    yield store
    store.close()


def test_three_processes_keep_to_one_quota(three: Three) -> None:
    function = three.function(ECHO)
    accepted: list[str] = []
    refusals: list[requests.Response] = []
    over = threading.Event()

    def ask(port: int) -> None:
        while not over.is_set():
            answer = three.put_off(port, function)
            if answer.status_code == 202:
                accepted.append(answer.json()["request_id"])
            else:
                refusals.append(answer)
                over.wait(0.05)

    threads = [threading.Thread(target=ask, args=(port,)) for port in three.apis * 4]
    for each in threads:
        each.start()
    until(lambda: len(accepted) >= QUOTA, "the quota is used")
    last = len(refusals)
    until(lambda: len(refusals) > last + 200, "all go on to be refused")
    over.set()
    for each in threads:
        each.join()
    used = f"the project's quota of queued_requests is {QUOTA}, of which {{}} are used"

    def all_know() -> bool:
        answers = [three.put_off(port, function) for port in three.apis]
        accepted.extend(each.json()["request_id"] for each in answers if each.status_code == 202)
        messages = {each.json()["error"]["message"] for each in answers if not each.ok}
        return messages == {used.format(len(accepted))} and not any(each.ok for each in answers)

    until(all_know, "all three know how many wait")
    assert QUOTA <= len(accepted) <= QUOTA * 1.25 + len(NUMBERS)
    with opened(three) as store:
        assert store.count_waiting().by_project == {"default": len(accepted)}
        assert set(store.get_requests(accepted)) == set(accepted)
    assert refused(refusals[-1], 429, "throttled").startswith(used.partition(",")[0])
    assert refusals[-1].headers["Retry-After"] == "1"
    _ordinary_things_work(three, function, accepted)


def _ordinary_things_work(three: Three, function: str, accepted: list[str]) -> None:
    """Once there is room all is as before."""
    for each in accepted:
        assert three.call("DELETE", f"/v1/requests/{each}").status_code in (202, 409)

    def accepted_now() -> str | None:
        """What was cancelled makes room one after the other."""
        body = {"payload": "ordinary"}
        answer = three.call("POST", f"/v1/functions/{function}", json=body)
        return str(answer.json()["request_id"]) if answer.status_code == 202 else None

    assert three.ended(until(accepted_now, "there is room"))["result"] == "ordinary"


def test_one_request_does_not_wait_behind_a_tenant_with_100_000(tmp_path: Path) -> None:
    stack = Stack(tmp_path, {"driver": {"engine": "null"}}).start()
    try:
        own = stack.function(ECHO)
        with opened(stack) as store:
            big_tenant.fill(store, own)
            until(lambda: any(big_tenant.begun(store)), "those of the tenant run")
            request = stack.run(own, "one")
            assert request["result"] == "one"
            (one,) = store.get_requests([request["request_id"]]).values()
            assert big_tenant.passed(store, one) < big_tenant.NUMBER / 100
            waiting = store.count_waiting().by_project[big_tenant.PROJECT]
            assert waiting > big_tenant.NUMBER / 2
            (scheduler,) = stack.pids()["pratai-scheduler"]
            assert _mib(scheduler) < _MOST_MIB
    finally:
        stack.stop()


def _mib(pid: int) -> float:
    """Return what a process has in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
