"""Functions that are shared, API keys, quotas and the audit trail, with a real Keystone and several
API processes.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.functional.test_keystone_client import Client
from tests.keystone import INVALID, Keystone, ask, call
from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import BIN, Stack, free_port
from tests.waiting import until

REVOKED = "the API key is unknown, revoked or expired"


@pytest.fixture(scope="module")
def stack(keystone_stack: Stack) -> Stack:
    """A stack that asks Keystone; its own session is that of a member of the project demo."""
    return keystone_stack


@pytest.fixture(scope="module")
def other(keystone: Keystone) -> str:
    """A token of a member of another project."""
    return keystone.token("other", "other")


def key(stack: Stack, **settings: Any) -> dict[str, str]:
    answer = stack.call("POST", "/v1/keys", json={"name": "door", **settings})
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def with_key(url: str, key: str, function_id: str) -> requests.Response:
    """Call a function with a key and nothing else."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            f"{url}/v1/functions/{function_id}",
            json={"payload": {"a": 1}},
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )


@contextmanager
def another_api(stack: Stack) -> Iterator[str]:
    """A second API process of a stack, at the address that this gives."""
    port = free_port()
    own = stack.folder / "second.conf"
    own.write_text(f"[DEFAULT]\nlog_file = second.log\n[api]\nport = {port}\n")
    command = [BIN / "pratai-api", *stack.arguments, "--config-file", own]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(stack.session.get(f"{url}/healthcheck", timeout=5).ok)
        except (requests.ConnectionError, requests.Timeout):
            return False

    try:
        until(answers, "the second API answers")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def test_a_shared_function_runs_for_the_other_project(
    stack: Stack, keystone: Keystone, other: str
) -> None:
    function = stack.function(ECHO, type="wait_for_response")
    project = keystone.session("other", "other").get_project_id()
    assert refused(call(stack, other, function), 404, "function_not_found")
    shared = stack.call("PATCH", f"/v1/functions/{function}", json={"shared_with": [project]})
    assert shared.json()["shared_with"] == [project]
    answer = call(stack, other, function)
    assert (answer.status_code, answer.json()) == (200, 1)
    request = answer.headers["X-Pratai-Request-Id"]
    shown = until(lambda: stack.call("GET", f"/v1/requests/{request}").json().get("user_id"), "it")
    assert shown == keystone.session("other", "other").get_user_id()
    stranger = keystone.token("stranger", "demo")
    assert refused(call(stack, stranger, function), 403, "forbidden")
    stack.call("PATCH", f"/v1/functions/{function}", json={"shared_with": []})
    assert refused(call(stack, other, function), 404, "function_not_found")


def test_the_other_project_sees_its_own_requests(
    stack: Stack, keystone: Keystone, other: str, tmp_path: Path
) -> None:
    """Their status and results, and nothing else; as ``pratai function-execute --wait`` does."""
    project = keystone.session("other", "other").get_project_id()
    function = stack.function(ECHO, shared_with=[project])
    own = stack.run(function, "own")["request_id"]
    answer = call(stack, other, function)
    assert answer.status_code == 202
    path = f"/v1/requests/{answer.json()['request_id']}"

    def look() -> dict[str, Any] | None:
        shown = ask(stack, other, "GET", path)
        assert shown.status_code == 200, shown.text
        request: dict[str, Any] = shown.json()
        return request if request["status"] == "success" else None

    request = until(look, "it has ended") or {}
    assert (request["result"], request["node"], request["attempts"]) == (1, None, [])
    for refusal in (
        ask(stack, other, "GET", f"{path}/logs"),
        ask(stack, other, "DELETE", path),
        ask(stack, other, "GET", f"/v1/requests/{own}"),
        ask(stack, keystone.token("reader", "demo"), "GET", f"{path}0"),
    ):
        assert refused(refusal, 404, "request_not_found")
    assert ask(stack, other, "GET", "/v1/requests").json()["requests"] == []
    client = Client(tmp_path, **keystone.environment("other", "other"))
    arguments = ("function-execute", function, "--payload", "[1]", "--wait", "-f", "json")
    done = client.run(*arguments)
    assert (done.returncode, json.loads(done.stdout)["result"]) == (0, [1]), done.stderr
    stack.call("PATCH", f"/v1/functions/{function}", json={"shared_with": []})
    assert refused(ask(stack, other, "GET", path), 404, "request_not_found")


def test_a_key_calls_while_keystone_is_away(stack: Stack, keystone: Keystone) -> None:
    function = stack.function(ECHO, type="wait_for_response")
    made = key(stack, function_id=function)
    with keystone.service.hanging():
        answer = with_key(stack.url, made["key"], function)
        assert (answer.status_code, answer.json()) == (200, {"a": 1})
    assert refused(with_key(stack.url, made["key"][:-1], function), 401, "unauthenticated") == (
        REVOKED
    )
    assert refused(call(stack, "x", function), 401, "unauthenticated") == INVALID


def test_a_revoked_key_is_refused_by_every_process(stack: Stack, mine: str) -> None:
    first, second = key(stack), key(stack)
    with another_api(stack) as url:
        for each in (stack.url, url):
            assert with_key(each, first["key"], mine).status_code == 202
        answer = stack.call("DELETE", f"/v1/keys/{first['prefix']}")
        assert answer.status_code == 204
        for each in (url, stack.url):
            answer = with_key(each, first["key"], mine)
            assert refused(answer, 401, "unauthenticated") == REVOKED
            assert with_key(each, second["key"], mine).status_code == 202


def test_keys_are_the_projects(stack: Stack, keystone: Keystone, other: str) -> None:
    made = key(stack)
    path = f"/v1/keys/{made['prefix']}"
    for token in (other, keystone.token("reader", "demo")):
        assert ask(stack, token, "DELETE", path).status_code in (403, 404)
    listed = ask(stack, keystone.token("reader", "demo"), "GET", "/v1/keys").json()["keys"]
    assert made["prefix"] in {each["prefix"] for each in listed}
    assert all("key" not in each and "sha256" not in each for each in listed)
    reader = keystone.token("reader", "demo")
    answer = ask(stack, reader, "POST", "/v1/keys", json={"name": "k"})
    assert refused(answer, 403, "forbidden") == "the policy does not allow it: key:create"
    assert ask(stack, other, "GET", "/v1/keys").json()["keys"] == []
    assert ask(stack, keystone.token("admin", "admin"), "DELETE", path).status_code == 204


def test_whose_quotas_are_shown(stack: Stack, keystone: Keystone, other: str, mine: str) -> None:
    project = keystone.session("member", "demo").get_project_id()
    own = stack.get("/v1/quota")
    assert own["project_id"] == project
    used = {each["resource"]: each["used"] for each in own["quotas"]}
    assert used["functions"] >= 1
    path = f"/v1/quota?project_id={project}"
    answer = ask(stack, keystone.token("admin", "admin"), "GET", path)
    assert answer.json()["project_id"] == project
    assert refused(ask(stack, other, "GET", path), 403, "forbidden")


def test_each_write_is_in_the_audit_trail(stack: Stack, keystone: Keystone) -> None:
    """And no key is, nor a token: neither there nor anywhere else in the logs."""
    made = key(stack, name="audited")
    token = keystone.token("member", "demo")
    deleted = ask(stack, token, "DELETE", f"/v1/keys/{made['prefix']}")
    assert deleted.status_code == 204
    text = "".join(each.read_text() for each in Path(stack.folder, "log").iterdir())
    events = [
        json.loads(line[line.index("{") :])
        for line in text.splitlines()
        if " pratai.audit " in line and "{" in line
    ]
    mine = [each for each in events if each["target"]["id"] == made["prefix"]]
    assert [(each["action"], each["outcome"]) for each in mine] == [
        ("create", "success"),
        ("delete", "success"),
    ]
    user = keystone.session("member", "demo")
    assert {each["initiator"]["id"] for each in mine} == {user.get_user_id()}
    assert {each["initiator"]["project_id"] for each in mine} == {user.get_project_id()}
    tag = f"http_request_id?value={deleted.headers['X-Openstack-Request-Id']}"
    assert mine[1]["tags"] == [tag]
    assert made["prefix"] in text
    assert made["key"] not in text
    assert token not in text
