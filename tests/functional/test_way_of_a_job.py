"""A zip goes in, an event runs it in its own container, the stored result comes out."""

import json

import pytest

from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

INSIDE = package(
    """
    import os
    import socket
    import sys
    from pathlib import Path

    CALLS = []


    def main(payload=None):
        CALLS.append(1)
        seen = sorted(path.name for path in Path("/tmp").iterdir())
        Path("/tmp/mine").write_text("here")
        return {"container": socket.gethostname(), "tmp": seen, "calls": len(CALLS),
                "uid": os.getuid(), "pid": os.getpid(), "argv": sys.argv[1:]}
    """
)
TALKATIVE = package(
    """
    import logging
    import sys
    from pratai import context


    def main(payload=None):
        print("to stdout: grüße")
        print("to stderr", file=sys.stderr)
        logging.getLogger("pratai").info("to the logger")
        return [context.request_id, context.attempt, context.version, context.remaining > 0]
    """
)


@pytest.fixture(scope="module")
def inside(stack: Stack) -> str:
    return stack.function(INSIDE)


def test_every_event_has_a_container_of_its_own(stack: Stack, inside: str) -> None:
    first, second = (stack.run(inside)["result"] for _ in range(2))
    assert first["container"] != second["container"]
    assert first["tmp"] == second["tmp"] == []
    assert first["calls"] == second["calls"] == 1
    assert first["uid"] == 10001


def test_the_record_tells_what_a_run_cost(stack: Stack, inside: str) -> None:
    request = stack.run(inside, {"n": 1})
    assert request["status"] == "success"
    assert request["payload"] == {"n": 1}
    assert request["cold"] in (True, False)  # test_spares.py tells when it is which
    assert request["isolation"] == "container"
    assert request["version"] == 1
    assert request["node"] == stack.node
    assert [attempt["attempt"] for attempt in request["attempts"]] == [1]
    assert all(request[name] is not None for name in ("queue_ms", "init_ms", "run_ms"))
    assert 1_000_000 < request["peak_memory"] <= 128 * 1024 * 1024
    assert request["created_at"] <= request["started_at"] <= request["finished_at"]


def test_all_that_is_printed_is_in_the_logs(stack: Stack) -> None:
    request = stack.run(stack.function(TALKATIVE))
    assert request["result"] == [request["request_id"], 1, 1, True]
    assert stack.logs(request["request_id"]).splitlines() == [
        "to stdout: grüße",
        "to stderr",
        "INFO pratai: to the logger",
    ]


def test_a_wheel_with_compiled_code(stack: Stack) -> None:
    module = """
        import msgpack
        from msgpack import _cmsgpack

        def main(payload=None):
            return [list(msgpack.packb(payload)), _cmsgpack.__file__]
        """
    function = stack.function(package(module, "msgpack==1.1.2\n"))
    packed, path = stack.run(function, [1, 2])["result"]
    assert packed == [0x92, 1, 2]
    assert path.startswith("/opt/pratai/packages/")
    assert path.endswith(".so")


def test_the_same_content_is_not_built_again(stack: Stack) -> None:
    content = package("import inflection\ndef main(p=None): return 1\n", "inflection==0.5.1\n")
    first = stack.function(content)
    second = stack.function(content)
    log = stack.call("GET", f"/v1/functions/{second}/build-log").text
    assert "same content, same image" in log
    other = stack.function(
        package("import inflection\ndef main(p=None): return 2\n", "inflection==0.5.1\n")
    )
    log = stack.call("GET", f"/v1/functions/{other}/build-log").text
    assert "same content, same layer" in log
    assert "same content, same image" not in log
    assert [stack.run(each)["result"] for each in (first, second, other)] == [1, 1, 2]


def test_a_build_that_fails_says_why(stack: Stack, still_fine: None) -> None:
    content = package("def main(p=None): return 1\n", "no-such-package-as-this-one==99\n")
    function = stack.built(stack.upload(content).json()["function_id"])
    assert function["status"] == "error"
    assert function["build_error"] == "installing the requirements failed"
    log = stack.call("GET", f"{function['logs_endpoint']}").text
    assert "No matching distribution found for no-such-package-as-this-one==99" in log
    answer = stack.call("POST", f"/v1/functions/{function['function_id']}", json={"payload": 1})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "image_build")


def test_a_package_keeps_its_other_files(stack: Stack) -> None:
    module = """
        import json
        from pathlib import Path
        import helper

        def main(payload=None):
            return [helper.NAME, Path("data.txt").read_text(), json.OWN]
        """
    files = {"helper__py": "NAME = 'helper'\n", "data__txt": "data", "json__py": "OWN = 'own'\n"}
    function = stack.function(package(module, "", **files))
    assert stack.run(function)["result"] == ["helper", "data", "own"]


def test_an_event_is_queued_while_its_function_is_built(stack: Stack) -> None:
    answer = stack.upload(package("def main(p=None): return p\n", "inflection==0.5.0\n"))
    request_id = stack.submit(answer.json()["function_id"], "early")
    assert stack.ended(request_id)["result"] == "early"


def test_an_idempotency_key_names_one_request(stack: Stack, echo: str) -> None:
    key = {"Idempotency-Key": "once"}
    first = stack.submit(echo, {"n": 1}, **key)
    assert stack.submit(echo, {"n": 1}, **key) == first
    answer = stack.call("POST", f"/v1/functions/{echo}", json={"payload": {"n": 2}}, headers=key)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (422, "idempotency_key_reused")
    listed = stack.get(f"/v1/requests?function_id={echo}")["requests"]
    assert [each["request_id"] for each in listed].count(first) == 1


@pytest.mark.parametrize("size", [1000, 40_000, 300_000, 5_500_000])
def test_bodies_of_all_sizes(stack: Stack, echo: str, size: int) -> None:
    payload = "é" * (size // 2)
    body = json.dumps({"payload": payload}, ensure_ascii=False).encode()
    answer = stack.call("POST", f"/v1/functions/{echo}", data=body)
    request = stack.ended(answer.json()["request_id"])
    assert request["status"] == "success"
    assert request["result"] == request["payload"] == payload


ODD_BODIES = [
    (b'{"payload": 1, "payload": 2}', 2),
    (b'{"payload": {"a": 1, "a": 2}, "more": 3}', {"a": 2}),
    (b' {"payload" : [1e-400, -0.0]} ', [0.0, -0.0]),
    (b'{"payload": "\\u0000\\ud83d\\ude00"}', "\x00\U0001f600"),
    (b'{"payload": ' + b"9" * 4000 + b"}", int("9" * 4000)),
    (b'{"payload": ' + b"[" * 200 + b"]" * 200 + b"}", json.loads("[" * 200 + "]" * 200)),
]


@pytest.mark.parametrize(("body", "result"), ODD_BODIES)
def test_odd_bodies_that_are_json(
    stack: Stack, echo: str, still_fine: None, body: bytes, result: object
) -> None:
    answer = stack.call("POST", f"/v1/functions/{echo}", data=body)
    assert answer.status_code == 202
    assert stack.ended(answer.json()["request_id"])["result"] == result


def test_lists_are_paged(stack: Stack) -> None:
    function = stack.function(INSIDE)
    sent = [stack.submit(function) for _ in range(3)]
    first = stack.get(f"/v1/requests?function_id={function}&limit=2")
    second = stack.get(f"/v1/requests?function_id={function}&limit=2&marker={first['next']}")
    ids = [each["request_id"] for each in first["requests"] + second["requests"]]
    assert sorted(ids) == sorted(sent)
    assert second["next"] is None


def test_a_timer_runs_its_function(stack: Stack) -> None:
    module = "def main(payload=None): return payload\n"
    answer = stack.upload(package(module), event="timer", frequency=1 / 30)
    assert answer.status_code == 201, answer.text
    function = answer.json()["function_id"]

    def ticks() -> list[int]:
        found = stack.get(f"/v1/requests?function_id={function}&status=success")["requests"]
        details = [stack.get(f"/v1/requests/{each['request_id']}") for each in found]
        return sorted(each["result"]["tick"] for each in details) if len(found) >= 2 else []

    seen = until(ticks, "two ticks ran")
    assert len(set(seen)) == len(seen)
    assert stack.call("DELETE", f"/v1/functions/{function}").status_code == 204
    assert stack.call("GET", f"/v1/functions/{function}").status_code == 404


def test_a_deleted_function_runs_no_more(stack: Stack, echo: str) -> None:
    function = stack.function(INSIDE)
    request = stack.run(function)
    assert stack.call("DELETE", f"/v1/functions/{function}").status_code == 204
    answer = stack.call("POST", f"/v1/functions/{function}", json={"payload": 1})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "function_not_found")
    assert stack.get(f"/v1/requests/{request['request_id']}")["result"] == request["result"]
