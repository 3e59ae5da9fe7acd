"""Functions whose callers wait: the result is the answer, and what else may come of a wait."""

import itertools
import subprocess
import threading
import uuid
from typing import Any

import requests

from tests.held import HELD, let_go
from tests.packages import ECHO, package
from tests.stack import Stack
from tests.waiting import until

HOLDING = package(
    """
    import socket
    import held

    def main(payload=None):
        print(socket.gethostname())
        if payload:
            held.wait()
        return payload
    """,
    **HELD,
)


def call(stack: Stack, function: str, payload: Any = None, query: str = "", **headers: str) -> Any:
    return stack.call(
        "POST", f"/v1/functions/{function}{query}", json={"payload": payload}, headers=headers
    )


def sync(stack: Stack, content: bytes, **settings: Any) -> str:
    return stack.function(content, type="wait_for_response", **settings)


def recorded(stack: Stack, request_id: str) -> dict[str, Any]:
    """Return a request once it is in the store: that is behind the answer."""

    def look() -> dict[str, Any] | None:
        answer = stack.call("GET", f"/v1/requests/{request_id}?include=payload")
        return answer.json() if answer.ok else None

    return until(look, "the request is recorded") or {}


def test_the_result_is_the_answer(stack: Stack) -> None:
    function = sync(stack, ECHO)
    for payload in ({"a": [1, None, "ü"]}, None, "x" * 400_000):
        answer = call(stack, function, payload)
        assert (answer.status_code, answer.json()) == (200, payload)
        request = recorded(stack, answer.headers["X-Pratai-Request-Id"])
        assert (request["status"], request["result"]) == ("success", payload)
        assert request["payload"] == payload
        assert [each["attempt"] for each in request["attempts"]] == [1]


def test_its_failure_is_a_502_with_the_reason(stack: Stack, still_fine: None) -> None:
    function = sync(stack, package("def main(p=None):\n    raise ValueError(p)\n"), retries=3)
    answer = call(stack, function, 7)
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (502, "exception")
    assert error["message"] == "ValueError: 7"
    request = recorded(stack, answer.headers["X-Pratai-Request-Id"])
    assert (request["status"], request["dead"]) == ("error", False)
    assert len(request["attempts"]) == 1


def test_a_wait_that_ends_early_is_a_202_and_the_request_goes_on(stack: Stack) -> None:
    function = sync(stack, HOLDING)
    answer = call(stack, function, 2, "?wait=0.5")
    assert answer.status_code == 202
    request_id = answer.json()["request_id"]
    container = until(lambda: stack.logs(request_id).strip(), "it runs")
    assert stack.get(f"/v1/requests/{request_id}")["status"] == "running"
    let_go(container)
    ended = stack.ended(request_id)
    assert (ended["status"], ended["result"]) == ("success", 2)
    assert [each["attempt"] for each in ended["attempts"]] == [1]


def test_no_wait_at_all_is_a_202(stack: Stack) -> None:
    function = sync(stack, ECHO)
    answer = call(stack, function, 2, "?wait=0")
    assert answer.status_code == 202
    assert stack.ended(answer.json()["request_id"])["result"] == 2


def test_an_asynchronous_function_can_be_waited_for(stack: Stack, echo: str) -> None:
    answer = call(stack, echo, [1], "?wait=60")
    assert (answer.status_code, answer.json()) == (200, [1])


def test_a_key_is_recorded_first_and_answers_again(stack: Stack) -> None:
    module = "import uuid\ndef main(p=None):\n    return uuid.uuid4().hex\n"
    function = sync(stack, package(module))
    key = {"Idempotency-Key": "once"}
    first = call(stack, function, 1, **key)
    again = call(stack, function, 1, **key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    other = call(stack, function, 2, **key)
    assert (other.status_code, other.json()["error"]["reason"]) == (422, "idempotency_key_reused")


def test_over_its_limit_it_is_refused(stack: Stack) -> None:
    function = sync(stack, HOLDING, limit=1)
    first = call(stack, function, 3, "?wait=0.1").json()["request_id"]
    container = until(lambda: stack.logs(first).strip(), "the first call runs")
    answer = call(stack, function, 0)
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (429, "throttled")
    assert error["message"] == "the function's limit is 1, of which 1 are used"
    assert answer.headers["Retry-After"] == "1"
    let_go(container)
    assert stack.ended(first)["result"] == 3
    assert call(stack, function, 0).json() == 0


def test_a_limit_lets_asynchronous_requests_wait(stack: Stack) -> None:
    """The runs note when they began and ended: no two of them at a time."""
    module = """
        import time

        def main(payload=None):
            began = time.time()
            time.sleep(0.2)
            return [began, time.time()]
        """
    function = stack.function(package(module), limit=1)
    sent = [stack.submit(function) for _ in range(4)]
    spans = sorted(stack.ended(each)["result"] for each in sent)
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))


def test_while_it_is_built_the_caller_waits(stack: Stack) -> None:
    never_before = f"inflection==0.4.0  # {uuid.uuid4()}\n"
    content = package("def main(p=None): return p\n", never_before)
    answer = stack.upload(content, type="wait_for_response")
    called = call(stack, answer.json()["function_id"], "early")
    assert (called.status_code, called.json()) == (200, "early")


def test_one_that_was_never_built_is_a_409(stack: Stack, still_fine: None) -> None:
    content = package("def main(p=None): 0\n", "no-such-package-as-this-one==99\n")
    function = stack.built(stack.upload(content, type="wait_for_response").json()["function_id"])
    answer = call(stack, function["function_id"], 1)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "image_build")


def test_a_lost_node_is_a_503(tmp_path: Any) -> None:
    """The node is killed while the call runs: nothing was promised, nothing is repeated."""
    stack = Stack(tmp_path, {"scheduler": {"node_lease_seconds": 2}}).start()
    try:
        function = sync(stack, HOLDING, timeout=300)
        answers: list[requests.Response] = []
        caller = threading.Thread(target=lambda: answers.append(call(stack, function, 1)))
        caller.start()
        containers = ["docker", "ps", "-q", "--filter", f"label=pratai.node={stack.node}"]
        until(lambda: subprocess.check_output(containers), "it runs")
        subprocess.run(["kill", "-KILL", str(stack.pids()["pratai-driver"][0])], check=True)
        caller.join()
        error = answers[0].json()["error"]
        assert (answers[0].status_code, error["reason"]) == (503, "node_lost"), error
        assert stack.get("/v1/requests")["requests"] == []
        until(stack._up, "the stack runs")
        assert call(stack, function, 0).json() == 0
    finally:
        stack.stop()
