"""Functions over time: versions, settings, endpoints; requests that are ended, or repeated."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from tests.packages import ECHO, package
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

SLEEPER = package(
    """
    import time

    def main(payload=None):
        print("begins")
        time.sleep(60)
    """
)


def answering(value: int, requirements: str = "") -> bytes:
    return package(f"def main(payload=None):\n    return {value}\n", requirements)


def patch(stack: Stack, function: str, **settings: Any) -> requests.Response:
    return stack.call("PATCH", f"/v1/functions/{function}", json=settings)


def reupload(stack: Stack, function: str, content: bytes, **settings: Any) -> requests.Response:
    form = {"zip_file": ("f.zip", content), "metadata": (None, json.dumps(settings))}
    return stack.call("PATCH", f"/v1/functions/{function}", files=form)


def version(stack: Stack, function: str, number: int) -> dict[str, Any]:
    """Return a version whose build has ended."""

    def look() -> dict[str, Any] | None:
        found = stack.get(f"/v1/functions/{function}/versions")["versions"]
        return found[number - 1] if found[number - 1]["status"] != "building" else None

    return until(look, f"version {number} is built", 300) or {}


def test_versions_update_and_rollback(stack: Stack) -> None:
    function = stack.function(answering(1))
    answer = reupload(stack, function, answering(2), memory=256)
    assert answer.status_code == 202
    made = answer.json()
    assert (made["version"], made["status"], made["function_id"]) == (2, "building", function)
    assert version(stack, function, 2)["status"] == "active"
    shown = until(
        lambda: (f := stack.get(f"/v1/functions/{function}"))["version"] == 2 and f, "2 serves"
    )
    assert (shown["status"], shown["memory"]) == ("active", 256)
    ran = until(lambda: (r := stack.run(function))["version"] == 2 and r, "2 runs")
    assert ran["result"] == 2

    answer = patch(stack, function, version=1)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    ran = until(lambda: (r := stack.run(function))["version"] == 1 and r, "1 serves again")
    assert ran["result"] == 1
    assert reupload(stack, function, answering(3)).json()["version"] == 3
    version(stack, function, 3)
    until(lambda: stack.run(function)["result"] == 3, "3 serves")


def test_the_old_version_serves_until_the_new_one_is_built_and_if_it_cannot_be(
    stack: Stack, still_fine: None
) -> None:
    function = stack.function(answering(1))
    reupload(stack, function, answering(2, "no-such-package-as-this-one==99\n"))
    assert stack.run(function)["result"] == 1
    failed = version(stack, function, 2)
    assert failed["status"] == "error"
    shown = stack.get(f"/v1/functions/{function}")
    assert (shown["status"], shown["version"]) == ("active", 1)
    assert shown["build_error"] == "installing the requirements failed"
    log = stack.call("GET", shown["logs_endpoint"]).text
    assert "No matching distribution found for no-such-package-as-this-one==99" in log
    assert stack.run(function)["result"] == 1
    answer = patch(stack, function, version=2)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "version_not_built")
    assert answer.json()["error"]["message"] == "version 2 is error: only a built one can serve"
    answer = patch(stack, function, version=9)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "version_not_found")


def test_a_function_that_could_not_be_built_gets_better(stack: Stack) -> None:
    answer = stack.upload(answering(1, "no-such-package-as-this-one==99\n"))
    function = stack.built(answer.json()["function_id"])["function_id"]
    reupload(stack, function, answering(2))
    assert stack.built(function)["status"] == "active"
    assert stack.run(function)["result"] == 2


def test_settings_change(stack: Stack) -> None:
    module = "import os\ndef main(p=None):\n    return os.environ.get('GREETING')\n"
    function = stack.function(package(module), environment={"GREETING": "hällo = wörld"})
    assert stack.run(function)["result"] == "hällo = wörld"
    changes = {
        "name": "renamed", "description": "new", "memory": 200, "cpus": 0.5, "timeout": 7,
        "limit": 3, "network": "none", "retries": 2, "environment": {"GREETING": "bye"},
    }  # fmt: skip
    answer = patch(stack, function, **changes)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in changes} == changes
    until(lambda: stack.run(function)["result"] == "bye", "the new settings hold")
    assert patch(stack, function, limit=None).json()["limit"] is None
    assert patch(stack, function).json()["memory"] == 200


def test_what_is_deleted_while_it_changes_stays_deleted(stack: Stack) -> None:
    function = stack.upload(ECHO).json()["function_id"]

    def change(number: int) -> requests.Response:
        if number == 20:
            return stack.call("DELETE", f"/v1/functions/{function}")
        return patch(stack, function, description=f"change {number}")

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(change, range(40)))
    assert answers.pop(20).status_code == 204
    for answer in answers:
        if answer.status_code != 200:
            refused(answer, 404, "function_not_found")
    refused(stack.call("GET", f"/v1/functions/{function}"), 404, "function_not_found")
    refused(patch(stack, function, description="late"), 404, "function_not_found")
    refused(reupload(stack, function, ECHO), 404, "function_not_found")


def test_a_disabled_function_is_not_run(stack: Stack) -> None:
    function = stack.function(ECHO)
    ran = stack.run(function)["request_id"]
    assert patch(stack, function, enabled=False).json()["enabled"] is False
    answer = stack.call("POST", f"/v1/functions/{function}", json={"payload": 1})
    assert refused(answer, 409, "function_disabled") == "the function is disabled"
    answer = stack.call("POST", f"/v1/requests/{ran}/replay")
    assert refused(answer, 409, "function_disabled") == "the function is disabled"
    assert patch(stack, function, enabled=True).json()["enabled"] is True
    assert stack.run(function, 1)["result"] == 1


# Endpoints

EVENT = package(
    """
    from pratai import context

    def main(payload=None):
        return {"payload": payload, "event": context.event, "source": context.source}
    """
)


def test_a_public_endpoint(stack: Stack) -> None:
    function = stack.function(EVENT, type="wait_for_response")
    assert stack.get(f"/v1/functions/{function}")["endpoint"] is None
    endpoint = patch(stack, function, public=True).json()["endpoint"]
    assert endpoint.startswith("/v1/hooks/")
    assert len(endpoint) > 50
    headers = {"X-GitHub-Event": "push", "Authorization": "secret", "Cookie": "secret"}
    seen = stack.call("POST", f"{endpoint}?a=1", json={"b": [2]}, headers=headers).json()
    assert (seen["payload"], seen["source"]) == ({"b": [2]}, "webhook")
    event = seen["event"]
    assert (event["method"], event["query"], event["type"]) == (
        "POST",
        {"a": "1"},
        "pratai.webhook",
    )
    assert event["headers"]["x-github-event"] == "push"
    assert not {"authorization", "cookie"} & set(event["headers"])
    assert event["datacontenttype"] == "application/json"
    assert stack.call("POST", endpoint, data="täxt".encode()).json()["payload"] == "täxt"
    raw = stack.call("POST", endpoint, data=b"\xff\x00").json()
    assert base64.b64decode(raw["payload"]) == b"\xff\x00"
    assert raw["event"]["datacontentencoding"] == "base64"
    assert stack.call("GET", f"{endpoint}?challenge=7").json()["event"]["query"] == {
        "challenge": "7"
    }


def test_an_endpoint_that_is_rotated_or_closed(stack: Stack) -> None:
    function = stack.function(ECHO, public=True)
    first = stack.get(f"/v1/functions/{function}")["endpoint"]
    assert stack.call("POST", first, json=1).status_code == 202
    second = patch(stack, function, rotate_endpoint=True).json()["endpoint"]
    hooks = f"/v1/functions/{function}/subscriptions"
    hook = stack.get(hooks)["subscriptions"][0]
    assert (hook["kind"], hook["enabled"]) == ("webhook", True)
    accepted = stack.call("POST", second, json=2)
    assert stack.ended(accepted.json()["request_id"])["result"] == 2
    closed = [first, "/v1/hooks/nothing"]
    stack.call("PATCH", f"{hooks}/{hook['subscription_id']}", json={"enabled": False})
    closed.append(second)
    for endpoint in closed:
        answer = stack.call("POST", endpoint, json=1)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "endpoint_not_found")
    stack.call("PATCH", f"{hooks}/{hook['subscription_id']}", json={"enabled": True})
    assert stack.call("POST", second, json=1).status_code == 202
    patch(stack, function, public=False)
    assert stack.call("POST", second, json=1).status_code == 404


# Requests


def running(stack: Stack, function: str) -> str:
    request_id = stack.submit(function)
    until(lambda: stack.logs(request_id), "it runs")
    return request_id


def test_a_running_request_is_cancelled(stack: Stack, still_fine: None) -> None:
    request_id = running(stack, stack.function(SLEEPER))
    answer = stack.call("DELETE", f"/v1/requests/{request_id}")
    assert (answer.status_code, answer.json()["request_id"]) == (202, request_id)
    ended = stack.ended(request_id)
    assert (ended["status"], ended["reason"]) == ("cancelled", "cancelled")
    assert ended["message"] == "it was cancelled"
    answer = stack.call("DELETE", f"/v1/requests/{request_id}")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "request_final")


def test_what_ends_while_it_is_cancelled_ends_once(stack: Stack, echo: str) -> None:
    """By itself or cancelled: the record says which, and stays so."""
    for _ in range(5):
        request_id = stack.submit(echo, [1])
        path = f"/v1/requests/{request_id}"
        with ThreadPoolExecutor(4) as callers:
            answers = list(callers.map(lambda _, to=path: stack.call("DELETE", to), range(4)))
        for answer in answers:
            if answer.status_code != 202:
                refused(answer, 409, "request_final")
        ended = stack.ended(request_id)
        assert ended["status"] in ("cancelled", "success")
        assert ended["result"] == (None if ended["status"] == "cancelled" else [1])
        refused(stack.call("DELETE", path), 409, "request_final")
        assert stack.ended(request_id) == ended


def test_a_waiting_request_is_cancelled(stack: Stack) -> None:
    function = stack.function(SLEEPER, limit=1)
    first = running(stack, function)
    waiting = stack.submit(function)
    assert stack.call("DELETE", f"/v1/requests/{waiting}").status_code == 202
    ended = stack.ended(waiting)
    assert (ended["status"], ended["attempts"]) == ("cancelled", [])
    stack.call("DELETE", f"/v1/requests/{first}")
    stack.ended(first)


def test_a_function_is_stopped(stack: Stack, still_fine: None) -> None:
    function = stack.function(SLEEPER)
    sent = [running(stack, function) for _ in range(2)]
    found = {each["function_id"]: each for each in stack.get("/v1/functions/running")["functions"]}
    assert sorted(found[function]["request_ids"]) == sorted(sent)
    assert found[function]["running"] == 2
    answer = stack.call("POST", f"/v1/functions/{function}/stop")
    assert (answer.status_code, sorted(answer.json()["request_ids"])) == (202, sorted(sent))
    assert {stack.ended(each)["status"] for each in sent} == {"cancelled"}
    found = {each["function_id"]: each for each in stack.get("/v1/functions/running")["functions"]}
    assert function not in found


def test_a_request_is_replayed(stack: Stack) -> None:
    function = stack.function(package("def main(p=None): return [p, 1]\n"))
    first = stack.run(function, {"n": 1})
    path = f"/v1/requests/{first['request_id']}/replay"
    answer = stack.call("POST", path, headers={"Idempotency-Key": "again"})
    assert answer.status_code == 202
    again = stack.ended(answer.json()["request_id"])
    assert again["request_id"] != first["request_id"]
    assert (again["result"], again["payload"]) == ([{"n": 1}, 1], {"n": 1})
    assert (again["replay_of"], again["source"]) == (first["request_id"], "replay")
    same = stack.call("POST", path, headers={"Idempotency-Key": "again"})
    assert same.json()["request_id"] == again["request_id"]
    waiting = running(stack, stack.function(SLEEPER))
    answer = stack.call("POST", f"/v1/requests/{waiting}/replay")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "request_not_final")
    stack.call("DELETE", f"/v1/requests/{waiting}")
    stack.call("DELETE", f"/v1/functions/{function}")
    answer = stack.call("POST", path)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "function_deleted")


def test_a_failure_is_repeated_as_often_as_its_function_says(stack: Stack) -> None:
    module = """
        from pratai import context

        def main(payload=None):
            if context.attempt < payload:
                raise ValueError(context.attempt)
            return context.attempt
        """
    function = stack.function(package(module), retries=1)
    ended = stack.run(function, 2)
    assert (ended["status"], ended["result"], ended["dead"]) == ("success", 2, False)
    assert [each["reason"] for each in ended["attempts"]] == ["exception", None]
    ended = stack.run(function, 9)
    assert (ended["status"], ended["reason"], ended["dead"]) == ("error", "exception", True)
    assert [each["message"] for each in ended["attempts"]] == ["ValueError: 1", "ValueError: 2"]
    dead = stack.get(f"/v1/requests?function_id={function}&dead=true")["requests"]
    assert [each["request_id"] for each in dead] == [ended["request_id"]]


def test_logs_are_followed(stack: Stack) -> None:
    module = """
        import time

        def main(payload=None):
            for number in range(4):
                print(number, flush=True)
                time.sleep(0.7)
        """
    request_id = stack.submit(stack.function(package(module)))
    answer = stack.call("GET", f"/v1/requests/{request_id}/logs?follow=true", stream=True)
    parts = [part.decode() for part in answer.iter_content(None)]
    assert "".join(parts) == "0\n1\n2\n3\n"
    assert len(parts) > 1
    assert stack.get(f"/v1/requests/{request_id}")["status"] == "success"
    never_before = f"inflection==0.3.1  # {uuid.uuid4()}\n"
    content = package("def main(p=None): 0\n", never_before)
    function = stack.upload(content).json()["function_id"]
    path = f"/v1/functions/{function}/build-log?follow=true"
    assert "Successfully installed inflection-0.3.1" in stack.call("GET", path).text


def test_who_follows_or_waits_leaves_room_for_others() -> None:
    """Of four threads one may follow and two may wait. Who goes away makes room, though nothing is
    printed that would tell. The node is too small for the build: the request waits.
    """
    with TemporaryDirectory() as folder:
        settings = {"api": {"threads": 4}, "driver": {"engine": "null", "memory": 64}}
        stack = Stack(Path(folder), settings).start()
        try:
            function = stack.upload(ECHO).json()["function_id"]
            logs = f"/v1/requests/{stack.submit(function)}/logs?follow=true"
            of_function = f"/v1/requests?function_id={function}"
            assert [stack.call("HEAD", logs).status_code for _ in range(4)] == [200] * 4

            def follow() -> requests.Response:
                return stack.call("GET", logs, stream=True)

            def wait(seconds: float) -> requests.Response:
                path = f"/v1/functions/{function}?wait={seconds}"
                return stack.call("POST", path, json={"payload": 1})

            def busy(answer: requests.Response) -> str | None:
                if answer.status_code != 503:
                    return None
                assert answer.headers["Retry-After"] == "1"
                return refused(answer, 503, "busy")

            with follow() as follower, ThreadPoolExecutor(2) as callers:
                assert follower.status_code == 200
                message = "too many callers wait for logs here already"
                assert busy(follow()) == message
                assert wait(0.1).status_code == 202
                before = {each["request_id"] for each in stack.get(of_function)["requests"]}
                waiting = [callers.submit(wait, 60) for _ in range(2)]

                def theirs() -> list[str]:
                    """Return what is recorded of those who wait, each in a place of its own."""
                    found = [each["request_id"] for each in stack.get(of_function)["requests"]]
                    return [each for each in found if each not in before]

                until(lambda: len(theirs()) == 2, "two callers wait")
                assert busy(wait(0.1)) == "too many callers wait for results here already"
                assert busy(follow()) == message
                assert stack.call("GET", "/healthcheck").text == "OK"
                for each in theirs():
                    assert stack.call("DELETE", f"/v1/requests/{each}").ok
                for caller in waiting:
                    refused(caller.result(), 502, "cancelled")
            with until(lambda: (found := follow()).ok and found, "there is room again") as again:
                assert again.status_code == 200
            assert wait(0.1).status_code == 202
        finally:
            stack.stop()
