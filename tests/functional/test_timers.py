"""Timers with two agents: both fire all ticks, and each is one request, whichever of them dies."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.clock import now_ms
from pratai_common.store.sqlite import SQLiteStore
from tests.packages import ECHO
from tests.stack import Stack
from tests.waiting import until

PROGRAMS = (
    "pratai-collector,pratai-scheduler,pratai-driver,pratai-api,pratai-agent@1,pratai-agent@2"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"driver": {"engine": "null"}, "launcher": {"programs": PROGRAMS}}
    folder = tmp_path_factory.mktemp("timers")
    for number in (1, 2):
        own = folder / f"pratai-agent@{number}.conf"
        own.write_text(f"[DEFAULT]\nlog_file = pratai-agent-{number}.log\n")
    made = Stack(folder, settings).start()
    yield made
    made.stop()


def ended(stack: Stack, function: str) -> list[str]:
    """Return the ids of a function's runs that ended well."""
    path = f"/v1/requests?function_id={function}&status=success&limit=1000"
    return [each["request_id"] for each in stack.get(path)["requests"]]


def results(stack: Stack, function: str) -> list[dict[str, Any]]:
    """Return what the function got in each of them."""
    return [stack.get(f"/v1/requests/{each}")["result"] for each in ended(stack, function)]


def test_two_agents_fire_each_tick_once_and_one_is_killed(stack: Stack) -> None:
    agents = stack.pids()["pratai-agent"]
    assert len(agents) == 2
    function = stack.function(ECHO, event="timer", frequency=1 / 60)
    until(lambda: len(ended(stack, function)) >= 2, "it ticks")
    os.kill(agents[0], signal.SIGKILL)
    until(lambda: len(ended(stack, function)) >= 4, "it ticks on")
    until(lambda: len(stack.pids()["pratai-agent"]) == 2, "the agent was started again")
    before = len(ended(stack, function))
    until(lambda: len(ended(stack, function)) >= before + 2, "both tick on")
    (timer,) = stack.get(f"/v1/functions/{function}/subscriptions")["subscriptions"]
    path = f"/v1/functions/{function}/subscriptions/{timer['subscription_id']}"
    assert stack.call("DELETE", path).status_code == 204
    until(lambda: _all_have_ended(stack, function), "what was fired has run")
    numbers = sorted(each["tick"] for each in results(stack, function))
    assert numbers == list(range(1, len(numbers) + 1))


def _all_have_ended(stack: Stack, function: str) -> bool:
    found = stack.get(f"/v1/requests?function_id={function}&limit=1000")["requests"]
    return all(each["status"] == "success" for each in found)


def test_a_cron_timer_of_the_api_is_fired(stack: Stack) -> None:
    function = stack.function(ECHO)
    asked = {"kind": "timer", "cron": "* * * * *", "timezone": "Asia/Kathmandu", "misfire": "skip"}
    answer = stack.call("POST", f"/v1/functions/{function}/subscriptions", json=asked)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {name: made[name] for name in asked} == asked
    path = f"/v1/functions/{function}/subscriptions"
    for values, message in (
        ({"cron": "0 0 30 2 *"}, "never fires within 8 years"),
        ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
    ):
        refused = stack.call("POST", path, json={**asked, **values})
        assert refused.status_code == 400
        assert refused.json()["error"]["reason"] == "invalid"
        assert message in refused.json()["error"]["message"]
    _begin_a_minute_ago(stack, made["subscription_id"])
    until(lambda: ended(stack, function), "it fires")
    first = results(stack, function)[0]
    assert first["due_at"].endswith(":00.000Z")
    assert "tick" not in first


def _begin_a_minute_ago(stack: Stack, subscription_id: str) -> None:
    """Have a timer's last tick come due, so that nobody waits for the next."""
    store = SQLiteStore(stack.folder / "state" / "store.sqlite")
    try:
        store.change_subscription(
            subscription_id,
            lambda old: replace(old, since=now_ms() - 60_000, misfire="once", updated_at=now_ms()),
        )
    finally:
        store.close()
