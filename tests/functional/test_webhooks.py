"""Webhooks and what functions answer them, through real containers."""

import base64
import hashlib
import hmac
import json
import time

import pytest
import requests

from tests.packages import ECHO, package
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

ANSWERER = package(
    """
    from pratai import Response, context

    def main(payload=None):
        challenge = context.event.get("query", {}).get("hub.challenge")
        if challenge:
            return Response(challenge)
        if payload == "text":
            return Response("ü", 201, {"Location": "/there", "X-Own": "1"})
        if payload == "bytes":
            return Response(b"\\x89PNG\\xff", 418, {"Content-Type": "image/png"})
        return Response("", headers={"Set-Cookie": "a=b"})
    """
)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def answerer(stack: Stack) -> str:
    return stack.function(ANSWERER, type="wait_for_response", public=True)


def endpoint(stack: Stack, function: str) -> str:
    return str(stack.get(f"/v1/functions/{function}")["endpoint"])


def names_itself_a_functions(answer: requests.Response) -> bool:
    headers = ("X-Pratai-Answered-By", "X-Content-Type-Options", "Content-Security-Policy")
    return [answer.headers.get(name) for name in headers] == ["function", "nosniff", "sandbox"]


def test_the_answer_to_a_call_that_is_in_no_record_yet(stack: Stack, answerer: str) -> None:
    answer = stack.call("POST", endpoint(stack, answerer), json="text")
    assert (answer.status_code, answer.text) == (201, "ü")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (answer.headers["Location"], answer.headers["X-Own"]) == ("/there", "1")
    assert names_itself_a_functions(answer)


def test_the_answer_to_a_request_that_is_recorded(stack: Stack, answerer: str) -> None:
    """The second caller gets it from the record, as it is shown."""
    path, key = f"/v1/functions/{answerer}", {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = stack.call("POST", path, json={"payload": "bytes"}, headers=key)
        assert (answer.status_code, answer.content) == (418, b"\x89PNG\xff")
        assert answer.headers["Content-Type"] == "image/png"
        assert names_itself_a_functions(answer)
    ended = stack.ended(answer.headers["X-Pratai-Request-Id"])
    assert (ended["status"], ended["result"]) == ("success", "iVBOR/8=")
    head = {"status": 418, "headers": {"Content-Type": "image/png"}, "encoding": "base64"}
    assert ended["response"] == head
    assert len(ended["attempts"]) == 1


def test_what_may_not_be_answered(stack: Stack, answerer: str) -> None:
    answer = stack.call("POST", endpoint(stack, answerer), json="cookie")
    message = refused(answer, 502, "bad_result")
    assert message == "a Response may not have the header set-cookie"
    assert "Set-Cookie" not in answer.headers
    assert "X-Pratai-Answered-By" not in answer.headers


def test_a_challenge_is_answered(stack: Stack, answerer: str) -> None:
    path = endpoint(stack, answerer)
    answer = stack.call("GET", f"{path}?hub.mode=subscribe&hub.challenge=7714")
    assert (answer.status_code, answer.text) == (200, "7714")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_signed_delivery_runs_once(stack: Stack) -> None:
    function = stack.function(ECHO, public=True, auth="standard", auth_secret=SECRET)
    path, body = endpoint(stack, function), json.dumps({"test": 1})
    now = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"m1.{now}.{body}".encode(), hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "m1",
        "webhook-timestamp": now,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    message = "the sender did not prove that it knows the secret"
    for wrong in ({**headers, "webhook-id": "m2"}, {}):
        answer = stack.call("POST", path, data=body, headers=wrong)
        assert refused(answer, 401, "bad_signature") == message
    first, again = (stack.call("POST", path, data=body, headers=headers) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert stack.ended(first.json()["request_id"])["result"] == {"test": 1}
    found = stack.get(f"/v1/requests?function_id={function}")["requests"]
    assert [each["source"] for each in found] == ["webhook"]
    logs = "".join(each.read_text() for each in (stack.folder / "log").glob("*.log"))
    assert "POST /v1/hooks/***" in logs
    assert SECRET not in logs


def test_more_calls_than_a_minute_may_have(stack: Stack) -> None:
    function = stack.function(ECHO, public=True, rate_limit=1)
    path = endpoint(stack, function)
    answers = [stack.call("POST", path, json=number) for number in range(2)]
    assert [each.status_code for each in answers] == [202, 429]
    message = "the function's rate_limit is 1 a minute, of which 1 are used"
    assert refused(answers[1], 429, "throttled") == message
    assert 1 <= int(answers[1].headers["Retry-After"]) <= 60

    def listed() -> bool:
        return len(stack.get(f"/v1/requests?function_id={function}")["requests"]) == 1

    until(listed, "what was let in, and no more, is listed")
