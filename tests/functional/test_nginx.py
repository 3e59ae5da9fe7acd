"""nginx before three API processes: what it refuses, what it passes on, what it sends again."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from pratai_common import limits
from tests.front import Front, unread_bytes
from tests.packages import ECHO
from tests.refusals import refused
from tests.waiting import until


@pytest.fixture(scope="module")
def echo(front: Front) -> str:
    return front.function(ECHO)


@pytest.fixture(scope="module")
def waited_for(front: Front) -> str:
    return front.function(ECHO, type="wait_for_response")


# What nginx itself refuses, in the one shape

HOST = b"Host: localhost\r\n"
REFUSED = {
    "garbage": (b"\x00\x01\x02 garbage\r\n\r\n", 400, "bad_request"),
    "a header without an end": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_request"),
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        400,
        "bad_request",
    ),
    "an unknown coding": (
        b"POST /v1/functions HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: rot13\r\n\r\n",
        501,
        "not_implemented",
    ),
    "a new version": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505, "http_version_not_supported"),
    "a method that nobody takes": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405,
                                   "method_not_allowed"),
    "a long line": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414,
                    "request_uri_too_long"),
    "a long header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431,
                      "request_header_fields_too_large"),
    "a chunk that is none": (
        b"POST /v1/hooks/x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        400,
        "bad_request",
    ),
    "its own errors": (b"GET /_error/internal HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not_found"),
    "its own way of calls": (b"POST /_call HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not_found"),
    "figures": (b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n", 404, "not_found"),
}  # fmt: skip


def exchange(front: Front, sent: bytes) -> requests.Response:
    """Return the answer to bytes on a connection of their own."""
    with socket.create_connection(("127.0.0.1", front.nginx.port), 60) as connection:
        connection.sendall(sent)
        head, body = b"", b""
        while not (head and len(body) >= _length(head)):
            part = connection.recv(65536)
            assert part, body
            body += part
            if not head and b"\r\n\r\n" in body:
                head, body = body.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    answer = requests.Response()
    answer.status_code = int(first.split()[1])
    answer.headers.update(line.split(": ", 1) for line in lines)
    answer._content = body
    return answer


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


@pytest.mark.parametrize("name", REFUSED)
def test_what_nginx_refuses(front: Front, name: str) -> None:
    sent, code, reason = REFUSED[name]
    assert refused(exchange(front, sent), code, reason)
    good = exchange(front, b"GET /healthcheck HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (good.status_code, good.text) == (200, "OK")


def test_the_largest_body_passes_and_a_larger_one_does_not(front: Front, echo: str) -> None:
    path, most = f"/v1/functions/{echo}", limits.MAX_BODY_BYTES
    frame = json.dumps({"payload": ""}, separators=(",", ":"))
    text = "x" * (most - len(frame))
    body = json.dumps({"payload": text}, separators=(",", ":"))
    answer = front.call("POST", path, data=body)
    assert answer.status_code == 202, answer.text
    assert front.ended(answer.json()["request_id"])["result"] == text
    for asked in (path, "/v1/requests"):
        answer = front.call("POST", asked, data=body + " ")
        assert refused(answer, 413, "too_large") == f"the body is larger than {most} bytes"


def test_the_largest_form_passes_and_a_larger_one_does_not(front: Front) -> None:
    most = limits.MAX_FORM_BYTES
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = front.call("POST", "/v1/functions", data=bytes(most), headers=form)
    # The API's own words: it got the form, which is not one.
    assert refused(answer, 413, "too_large") == "a field of the form is too large"
    answer = front.call("POST", "/v1/functions", data=bytes(most + 1), headers=form)
    assert refused(answer, 413, "too_large") == f"the body is larger than {most} bytes"


def test_the_answers_of_the_api_pass_unchanged(front: Front) -> None:
    missing = front.call("GET", "/v1/functions/none")
    assert refused(missing, 404, "function_not_found") == "there is no function none"
    refused(front.call("PUT", "/v1/functions"), 405, "method_not_allowed")
    refused(front.call("GET", "/v1//functions"), 404, "not_found")
    refused(front.call("GET", "/v1/functions/a%2Fb"), 404, "not_found")


def test_nodes_alone_reach_what_is_theirs(front: Front) -> None:
    """The positive control is every function that was built here: its zip came this way."""
    answer = front.call("GET", "/v1/node/nothing")
    assert answer.status_code == 404
    text = front.site_path.read_text()
    front.site_path.write_text(text.replace("allow 127.0.0.0/8", "allow 192.0.2.0/24"))
    front.reload()
    try:
        refused(front.call("GET", "/v1/node/nothing"), 403, "forbidden")
        refused(front.call("GET", "/v1/%6eode/nothing"), 403, "forbidden")
        assert front.call("GET", "/v1/functions").ok
    finally:
        front.site_path.write_text(text)
        front.reload()


def test_its_log_has_no_secrets(front: Front, echo: str) -> None:
    front.call("POST", "/v1/hooks/a-secret-token?key=a-secret-key")
    front.call("DELETE", "/v1/keys/prk_0123456789ab_a-secret-key")
    front.call("DELETE", "/v1/keys/prk_0123456789ab")
    front.call("GET", "/v1/functions?name=a-secret-key")
    until(lambda: any("GET /v1/functions " in f"{each} " for each in shown(front)), "it is there")
    assert "POST /v1/hooks/***" in shown(front)
    assert "DELETE /v1/keys/***" in shown(front)
    assert "DELETE /v1/keys/prk_0123456789ab" in shown(front)
    assert not [line for line in front.log_lines() if "a-secret" in line]


def shown(front: Front) -> list[str]:
    return [line.split('"')[1] for line in front.log_lines()]


# Who is believed


def test_ids_of_a_client_are_not_believed(front: Front, echo: str) -> None:
    """Two calls with one id that a client made up are two requests."""
    claimed = {"X-Pratai-Proxy-Request-Id": "a" * 32, "X-Pratai-Proxy-Attempt": "2"}
    assert front.submit(echo, 1, **claimed) != front.submit(echo, 1, **claimed)


def test_a_client_cannot_say_that_a_call_was_sent_again(front: Front, waited_for: str) -> None:
    answer = front.call("POST", f"/v1/functions/{waited_for}", json={"payload": 1},
                        headers={"X-Pratai-Proxy-Attempt": "2"})  # fmt: skip
    assert (answer.status_code, answer.json()) == (200, 1)


# An API process dies with a request


class Caller:
    """A call in a thread of its own."""

    def __init__(self, front: Front, method: str, path: str, **arguments: Any) -> None:
        self._answer: requests.Response | None = None
        self._call = lambda: front.call(method, path, **arguments)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._answer = self._call()

    def answer(self) -> requests.Response:
        self._thread.join()
        assert self._answer is not None
        return self._answer


Send = Callable[..., requests.Response]


@pytest.fixture
def with_one_that_dies(front: Front) -> Iterator[Send]:
    """Sends a call to an API process, which never reads it, and is killed then."""
    with front.one_api_preferred() as number:

        def send(method: str, path: str, **arguments: Any) -> requests.Response:
            front.halt_api(number)
            caller = Caller(front, method, path, **arguments)
            until(lambda: unread_bytes(front.apis[number - 1]), "the call was sent to it")
            front.signal_api(number, signal.SIGKILL)
            return caller.answer()

        yield send


def requests_of(front: Front, function: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = front.get(f"/v1/requests?function_id={function}")["requests"]
    return found


def test_an_event_is_sent_again_whole(front: Front, with_one_that_dies: Send) -> None:
    function, text = front.function(ECHO), "x" * (limits.MAX_BODY_BYTES - 100)
    path = f"/v1/functions/{function}"
    answer = with_one_that_dies("POST", path, json={"payload": text})
    assert answer.status_code == 202, answer.text
    assert front.ended(answer.json()["request_id"])["result"] == text
    assert len(requests_of(front, function)) == 1
    [asked] = [line for line in front.log_lines() if f'"POST {path}" 202' in line]
    first, then, second = asked.split('" 202 ')[1].split()[2:5]
    ports = {f"127.0.0.1:{port}" for port in front.apis}
    assert ({first, second} <= ports, first != second, then) == (True, True, ":")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_endpoint_s_event_is_sent_again(
    front: Front, with_one_that_dies: Send, method: str
) -> None:
    function = front.function(ECHO, public=True)
    endpoint = front.get(f"/v1/functions/{function}")["endpoint"]
    answer = with_one_that_dies(method, endpoint)
    assert answer.status_code == 202, answer.text
    assert front.ended(answer.json()["request_id"])["status"] == "success"
    assert len(requests_of(front, function)) == 1


def test_what_is_published_is_sent_again(front: Front, with_one_that_dies: Send) -> None:
    event = front.call("POST", "/v1/events", json={"name": "again"}).json()["event_id"]
    function = front.function(ECHO, event="message", subscribe_to=[event])
    answer = with_one_that_dies("POST", f"/v1/events/{event}", json=[1])
    assert answer.status_code == 202, answer.text
    (request_id,) = answer.json()["request_ids"]
    assert front.ended(request_id)["result"] == [1]
    assert len(requests_of(front, function)) == 1


def test_a_replay_is_sent_again(front: Front, echo: str, with_one_that_dies: Send) -> None:
    request_id = front.run(front.function(ECHO), 5)["request_id"]
    answer = with_one_that_dies("POST", f"/v1/requests/{request_id}/replay")
    assert answer.status_code == 202, answer.text
    replayed = front.ended(answer.json()["request_id"])
    assert (replayed["result"], replayed["replay_of"]) == (5, request_id)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_call_that_may_have_run_is_not_run_again(
    front: Front, with_one_that_dies: Send, method: str
) -> None:
    function = front.function(ECHO, type="wait_for_response", public=True)
    endpoint = front.get(f"/v1/functions/{function}")["endpoint"]
    answer = with_one_that_dies(method, endpoint)
    message = refused(answer, 503, "node_lost")
    assert (
        message == "the API process that had this call died: it may have run, and is not run again"
    )
    assert answer.headers["Retry-After"] == "1"
    assert (
        front.call("GET", f"/v1/requests/{answer.headers['X-Pratai-Request-Id']}").status_code
        == 404
    )
    assert front.call(method, endpoint).status_code == 200


def test_a_call_with_a_key_is_sent_again(front: Front, with_one_that_dies: Send) -> None:
    function = front.function(ECHO, type="wait_for_response")
    answer = with_one_that_dies(
        "POST", f"/v1/functions/{function}", json={"payload": 7}, headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()) == (200, 7)
    assert len(requests_of(front, function)) == 1


def test_a_change_is_not_sent_again(front: Front, with_one_that_dies: Send) -> None:
    function = front.function(ECHO)
    path = f"/v1/functions/{function}"
    answer = with_one_that_dies("PATCH", path, json={"description": "changed"})
    message = refused(answer, 503, "api_unavailable")
    assert message == "no API process answered; whether one did what was asked is not known"
    assert answer.headers["Retry-After"] == "1"
    assert front.get(path)["description"] != "changed"


def test_what_is_read_is_read_elsewhere(front: Front, echo: str, with_one_that_dies: Send) -> None:
    answer = with_one_that_dies("GET", f"/v1/functions/{echo}")
    assert (answer.status_code, answer.json()["function_id"]) == (200, echo)


# An API process dies with a request that it has recorded, or that runs


@pytest.fixture
def node(front: Front) -> Iterator[int]:
    """The pid of the node, which may be halted; it goes on after the test."""
    [pid] = front.pids()["pratai-driver"]
    yield pid
    os.kill(pid, signal.SIGCONT)


def test_a_recorded_event_is_waited_for_elsewhere(front: Front, node: int) -> None:
    function = front.function(ECHO)
    with front.one_api_preferred() as number:
        os.kill(node, signal.SIGSTOP)
        path = f"/v1/functions/{function}?wait=60"
        caller = Caller(front, "POST", path, json={"payload": 3})
        until(lambda: requests_of(front, function), "it is recorded")
        front.signal_api(number, signal.SIGKILL)
        os.kill(node, signal.SIGCONT)
        answer = caller.answer()
    assert (answer.status_code, answer.json()) == (200, 3)
    [request] = requests_of(front, function)
    assert request["request_id"] == answer.headers["X-Pratai-Request-Id"]
    assert len(request["attempts"]) == 1


def test_a_call_that_runs_is_not_run_again(front: Front, node: int) -> None:
    function = front.function(ECHO, type="wait_for_response")
    with front.one_api_preferred() as number:
        os.kill(node, signal.SIGSTOP)
        caller = Caller(front, "POST", f"/v1/functions/{function}", json={"payload": 3})
        until(lambda: unread_bytes(front.ports["driver"]), "the node was sent the job")
        front.signal_api(number, signal.SIGKILL)
        answer = caller.answer()
        os.kill(node, signal.SIGCONT)
    refused(answer, 503, "node_lost")
    until(lambda: requests_of(front, function), "it is recorded")
    request = front.ended(answer.headers["X-Pratai-Request-Id"])
    assert (request["status"], request["result"], len(request["attempts"])) == ("success", 3, 1)
    assert len(requests_of(front, function)) == 1
