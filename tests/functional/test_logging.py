"""What the daemons log of a request: its id in one place of each line, and nothing secret."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

SECRET = "correct-horse-battery-staple"
MODULE = (
    "import os\n"
    "def main(payload=None):\n"
    "    print(payload, os.environ['KEY'])\n"
    "    if payload['fail']:\n"
    "        raise ValueError(payload['secret'])\n"
    "    return payload\n"
)
FIELD = re.compile(r" \[[^]]*\] \[request: ([0-9a-f-]{36})\] ")
PROGRAMS = {"api", "scheduler", "collector", "driver"}


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"DEFAULT": {"debug": "true"}}
    running = Stack(tmp_path_factory.mktemp("talkative"), settings)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def function(talkative: Stack) -> str:
    return talkative.function(package(MODULE), environment={"KEY": SECRET})


def logs(stack: Stack) -> dict[str, list[str]]:
    """Return the lines of each program's log, and what it said on stderr."""
    found: dict[str, list[str]] = {}
    for path in (stack.folder / "log").iterdir():
        name = path.name.partition(".")[0].removeprefix("pratai-")
        found.setdefault(name, []).extend(path.read_text().splitlines())
    return found


def of(stack: Stack, request_id: str) -> dict[str, list[str]]:
    """Return the lines on a request, by program: all of them have its id in its place."""
    found = {}
    for name, lines in logs(stack).items():
        naming = [line for line in lines if request_id in line]
        for line in naming:
            field = FIELD.search(line)
            assert field, line
            assert field[1] == request_id, line
        if naming:
            found[name] = naming
    return found


@pytest.mark.parametrize("fail", [False, True])
def test_every_daemon_tells_of_a_request(talkative: Stack, function: str, fail: bool) -> None:
    request_id = talkative.submit(function, {"secret": SECRET, "fail": fail})
    ended = talkative.ended(request_id)
    assert ended["reason"] == ("exception" if fail else None)
    reason = "exception" if fail else "success"

    def last_of(name: str) -> str:
        return of(talkative, request_id).get(name, [""])[-1]

    for name in ("driver", "collector"):
        until(lambda name=name: f"] attempt 1: {reason}" in last_of(name), f"the {name} says so")
    until(lambda: set(of(talkative, request_id)) == PROGRAMS, "all four tell of it")
    found = of(talkative, request_id)
    assert any(f"attempt 1 goes to node {talkative.node}" in line for line in found["scheduler"])


def test_an_http_request_and_a_function_request_lead_to_one_another(
    talkative: Stack, function: str
) -> None:
    answer = talkative.call("POST", f"/v1/functions/{function}", json={"payload": {"fail": False}})
    http_id = answer.headers["X-Openstack-Request-Id"]
    request_id = answer.json()["request_id"]

    def accepted() -> list[str]:
        return [line for line in of(talkative, request_id).get("api", []) if "POST" in line]

    until(accepted, "the access log tells of it")
    (line,) = accepted()
    assert http_id in line.split("[request:")[0]
    assert f"POST /v1/functions/{function} 202, " in line
    talkative.ended(request_id)


def test_a_tick_of_a_timer(talkative: Stack) -> None:
    module = package("def main(p=None): return p\n")
    timer = talkative.function(module, event="timer", frequency=1 / 60)

    def ran() -> list[dict[str, Any]]:
        requests = talkative.get(f"/v1/requests?function_id={timer}")["requests"]
        return [each for each in requests if each["status"] == "success"]

    until(ran, "it has run once")
    request_id = ran()[-1]["request_id"]
    until(lambda: "agent" in of(talkative, request_id), "the agent tells of it")
    talkative.call("DELETE", f"/v1/functions/{timer}")


def test_nothing_secret_is_in_any_log(talkative: Stack, function: str) -> None:
    public = talkative.call("PATCH", f"/v1/functions/{function}", json={"public": True})
    token = public.json()["endpoint"].rsplit("/", 1)[1]
    query = {"key": SECRET}
    answer = talkative.call(
        "POST",
        f"/v1/hooks/{token}",
        params=query,
        headers={"X-Auth-Token": SECRET},
        json={"fail": True, "secret": SECRET},
    )
    assert answer.status_code == 202, answer.text
    request_id = answer.json()["request_id"]
    talkative.ended(request_id)
    wrong = f"{uuid.uuid4()}"
    assert talkative.call("POST", f"/v1/hooks/{wrong}?key={SECRET}").status_code == 404
    until(
        lambda: sum("/v1/hooks/***" in line for line in logs(talkative)["api"]) >= 2,
        "the access log tells of both",
    )
    for name, lines in logs(talkative).items():
        for hidden in (SECRET, token, wrong):
            assert [line for line in lines if hidden in line] == [], name


def test_logs_that_were_moved_are_made_anew(null_stack: Stack) -> None:
    log = null_stack.folder / "log" / "pratai-api.log"
    until(lambda: log.exists() and "/v1/status" in log.read_text(), "it writes")
    moved = log.rename(null_stack.folder / "rotated")
    before, pids = moved.read_text().count("/v1/runtimes"), null_stack.pids()
    null_stack.get("/v1/runtimes")
    until(lambda: log.exists() and "/v1/runtimes" in log.read_text(), "it writes a new file")
    assert moved.read_text().count("/v1/runtimes") == before
    assert null_stack.pids() == pids
