"""Limits that a real Keystone keeps for each project count, and what they do not say is ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from keystoneauth1.session import Session

from tests.keystone import Keystone, ask
from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

TYPE, REGION = "limited-function", "RegionOne"


class Limits:
    """What an administrator of the system says of limits."""

    def __init__(self, keystone: Keystone) -> None:
        self.url = keystone.url
        keystone.register(f"service pratai-limited {TYPE} http://127.0.0.1:9")
        self.admin: Session = keystone.session("admin", None, system_scope="all")
        service = self._get(f"services?type={TYPE}")["services"][0]["id"]
        self.of_service = {"service_id": service, "region_id": REGION}

    def _get(self, path: str) -> Any:
        return self.admin.get(f"{self.url}/{path}").json()

    def let_read(self, user_id: str) -> None:
        role = self._get("roles?name=reader")["roles"][0]["id"]
        self.admin.put(f"{self.url}/system/users/{user_id}/roles/{role}")

    def register(self, **defaults: int) -> None:
        wanted = [
            {**self.of_service, "resource_name": name, "default_limit": most}
            for name, most in defaults.items()
        ]
        self.admin.post(f"{self.url}/registered_limits", json={"registered_limits": wanted})

    def limit(self, project_id: str, name: str, most: int) -> None:
        wanted = {**self.of_service, "project_id": project_id}
        limits = [{**wanted, "resource_name": name, "resource_limit": most}]
        self.admin.post(f"{self.url}/limits", json={"limits": limits})


@pytest.fixture(scope="module")
def limits(keystone: Keystone) -> Limits:
    made = Limits(keystone)
    made.let_read(str(keystone.session("pratai", "service").get_user_id()))
    made.register(functions=1, keys=5, concurrent_requests=5)
    other = str(keystone.session("other", "other").get_project_id())
    made.limit(other, "functions", 2)
    made.limit(other, "concurrent_requests", 0)
    return made


@pytest.fixture(scope="module")
def stack(keystone: Keystone, limits: Limits) -> Iterator[Stack]:
    """A stack that asks Keystone for limits; its session is that of a member of demo."""
    with TemporaryDirectory() as folder:
        settings = {
            **keystone.settings(),
            "driver": {"engine": "null"},
            "quota": {"unified_limits": "true", "functions": 50, "timers": 3, "queued_requests": 9},
            "oslo_limit": {
                "auth_type": "password",
                "auth_url": keystone.url,
                "username": "pratai",
                "password": keystone.password("pratai"),
                "user_domain_id": "default",
                "system_scope": "all",
                "endpoint_service_type": TYPE,
                "endpoint_region_name": REGION,
            },
        }
        running = Stack(Path(folder), settings).start()
        running.session.headers["X-Auth-Token"] = keystone.token("member", "demo")
        yield running
        running.stop()


def shown(stack: Stack, token: str) -> dict[str, int | None]:
    quotas = ask(stack, token, "GET", "/v1/quota").json()["quotas"]
    return {each["resource"]: each["limit"] for each in quotas}


def test_limits_of_keystone_and_ours(stack: Stack, keystone: Keystone) -> None:
    member, other = keystone.token("member", "demo"), keystone.token("other", "other")
    until(lambda: shown(stack, member)["functions"] == 1, "the registered limit is known")
    until(lambda: shown(stack, other)["functions"] == 2, "the project's own limit is known")
    for token in (member, other):
        limits = shown(stack, token)
        assert (limits["keys"], limits["timers"], limits["events"]) == (5, 3, 20)
        assert limits["queued_requests"] == 9
    assert shown(stack, member)["concurrent_requests"] == 5
    assert shown(stack, other)["concurrent_requests"] == 0


def test_what_is_more_is_refused(stack: Stack, keystone: Keystone) -> None:
    until(lambda: shown(stack, keystone.token("member", "demo"))["functions"] == 1, "it is known")
    first = stack.function(ECHO)
    message = "the project's quota of functions is 1, of which 1 are used"
    assert refused(stack.upload(ECHO), 403, "quota") == message
    assert stack.run(first, 1)["result"] == 1
    assert stack.call("DELETE", f"/v1/functions/{first}").status_code == 204
    stack.function(ECHO)


def test_runs_at_a_time_are_what_keystone_says(stack: Stack, keystone: Keystone) -> None:
    """The scheduler, which asks no Keystone, is told with each request."""
    token = keystone.token("other", "other")
    until(lambda: shown(stack, token)["concurrent_requests"] == 0, "it is known")
    metadata = {"name": "none-at-a-time", "type": "wait_for_response"}
    form = {"zip_file": ("f.zip", ECHO), "metadata": (None, json.dumps(metadata))}
    made = ask(stack, token, "POST", "/v1/functions", files=form)
    assert made.status_code == 201, made.text
    path = f"/v1/functions/{made.json()['function_id']}"
    until(lambda: ask(stack, token, "GET", path).json()["status"] == "active", "it is built")
    answer = ask(stack, token, "POST", path, json={"payload": 1})
    message = "the project's quota of concurrent_requests is 0, of which 0 are used"
    assert refused(answer, 429, "throttled") == message
    assert ask(stack, token, "PATCH", path, json={"type": "async"}).status_code == 200
    waiting = ask(stack, token, "POST", path, json={"payload": 1}).json()["request_id"]
    member = keystone.token("member", "demo")
    until(lambda: shown(stack, member)["concurrent_requests"] == 5, "it is known")
    mine = (_functions(stack) or [stack.function(ECHO)])[0]
    assert stack.run(mine, 1)["result"] == 1
    request = ask(stack, token, "GET", f"/v1/requests/{waiting}").json()
    assert request["status"] == "queued"
    assert ask(stack, token, "DELETE", path).status_code == 204


def test_while_keystone_is_away_what_it_said_counts(stack: Stack, keystone: Keystone) -> None:
    token = keystone.token("member", "demo")
    until(lambda: shown(stack, token)["functions"] == 1, "it is known")
    function = stack.function(ECHO, public=True) if not _functions(stack) else _functions(stack)[0]
    stack.call("PATCH", f"/v1/functions/{function}", json={"public": True})
    with keystone.service.hanging():
        answer = ask(stack, None, "POST", f"/v1/functions/{function}", json={"payload": 1})
        assert answer.status_code == 202


def _functions(stack: Stack) -> list[str]:
    return [each["function_id"] for each in stack.get("/v1/functions")["functions"]]
