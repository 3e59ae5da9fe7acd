"""What the API is as an HTTP server: routes and methods, the one shape of every failure, what is
said of each request that is no HTTP at all.
"""

import json
import socket
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("still_fine")


@pytest.fixture(scope="module")
def stack(null_stack: Stack) -> Stack:
    """Whose functions answer what came in: none of this is about what runs them."""
    return null_stack


@pytest.fixture(scope="module")
def echo(stack: Stack) -> str:
    return stack.function(ECHO)


UNKNOWN_ROUTES = [
    "/v2",
    "/nothing",
    "/v1/events/",
    "/v1/secrets/",
    "/v1/keys/",
    "/v1/functions/",
    "/v1//functions",
    "/V1/functions",
    "/v1/functions/a%2Fb",
    "/v1/functions/x/nothing",
    "/v1/openapi.json/",
]


@pytest.mark.parametrize("path", UNKNOWN_ROUTES)
def test_unknown_routes(stack: Stack, path: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        refused(stack.call(method, path, allow_redirects=False), 404, "not_found")


METHODS = {
    "/": {"GET"},
    "/v1": {"GET"},
    "/healthcheck": {"GET"},
    "/v1/openapi.json": {"GET"},
    "/v1/status": {"GET"},
    "/v1/cluster": {"GET"},
    "/v1/runtimes": {"GET"},
    "/v1/runtimes/python3": {"GET"},
    "/v1/functions": {"GET", "POST"},
    "/v1/functions/running": {"GET"},
    "/v1/functions/x": {"GET", "POST", "PATCH", "DELETE"},
    "/v1/functions/x/stop": {"POST"},
    "/v1/functions/x/versions": {"GET"},
    "/v1/functions/x/build-log": {"GET"},
    "/v1/functions/x/subscriptions": {"GET", "POST"},
    "/v1/functions/x/subscriptions/y": {"PATCH", "DELETE"},
    "/v1/events": {"GET", "POST"},
    "/v1/events/x": {"GET", "POST", "PATCH", "DELETE"},
    "/v1/hooks/x": {"GET", "POST", "OPTIONS"},
    "/v1/requests": {"GET"},
    "/v1/requests/x": {"GET", "DELETE"},
    "/v1/requests/x/logs": {"GET"},
    "/v1/requests/x/replay": {"POST"},
    "/v1/keys": {"GET", "POST"},
    "/v1/keys/x": {"DELETE"},
    "/v1/quota": {"GET"},
    "/v1/secrets": {"GET", "POST"},
    "/v1/secrets/x": {"GET", "DELETE"},
    "/v1/node/secrets": {"GET"},
    "/v1/node/archives/x": {"GET"},
    "/v1/node/results": {"POST"},
}


@pytest.mark.parametrize("path", METHODS)
def test_methods(stack: Stack, path: str) -> None:
    """A method that a route does not take is a 405, whatever routes are beside it."""
    allowed = {"OPTIONS", *METHODS[path]} | ({"HEAD"} if "GET" in METHODS[path] else set())
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE"} - allowed:
        answer = stack.call(method, path)
        refused(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed
    answer = stack.call("OPTIONS", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert "Content-Type" not in answer.headers
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")


def test_the_document_has_every_route(stack: Stack) -> None:
    paths = stack.get("/v1/openapi.json")["paths"]
    assert sorted(len(item) for item in paths.values()) == sorted(map(len, METHODS.values()))


def test_head_is_get_without_a_body(stack: Stack, echo: str) -> None:
    for path in ("/v1/functions", f"/v1/functions/{echo}", "/healthcheck", "/nothing"):
        got, headed = stack.call("GET", path), stack.call("HEAD", path)
        assert headed.content == b""
        assert headed.status_code == got.status_code
        for name in ("Content-Type", "Content-Length"):
            assert headed.headers[name] == got.headers[name]


def test_head_runs_nothing(stack: Stack) -> None:
    function = stack.upload(ECHO, public=True).json()
    runs = f"/v1/requests?function_id={function['function_id']}"
    answer = stack.call("HEAD", function["endpoint"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert stack.get(runs)["requests"] == []
    assert stack.call("HEAD", "/v1/hooks/nothing").status_code == 404
    assert stack.call("GET", function["endpoint"]).status_code == 202
    assert len(stack.get(runs)["requests"]) == 1


def test_versions_of_the_interface_lead_to_it(stack: Stack) -> None:
    version = stack.get("/")["versions"][0]
    assert (version["id"], version["min_version"], version["max_version"]) == ("v1", "1.0", "1.0")
    link = urljoin(f"{stack.url}/", version["links"][0]["href"])
    assert stack.session.get(link, timeout=60).json() == {"version": version}


def test_what_is_deleted_is_answered_without_content(stack: Stack) -> None:
    function = stack.function(ECHO)
    answer = stack.call("DELETE", f"/v1/functions/{function}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    message = refused(stack.call("DELETE", f"/v1/functions/{function}"), 404, "function_not_found")
    assert message == f"there is no function {function}"


IDS = {
    "nothing like an id": "x",
    "a NUL": "%00",
    "bytes that are no text": "%ff%fe",
    "lines of a header": "a%0d%0aX-Evil:%201",
    "a script": "%3Cscript%3E",
    "dots": "..%2e",
    "long": "x" * 3000,
}


@pytest.mark.parametrize("name", IDS)
def test_ids(stack: Stack, name: str) -> None:
    for path, reason in (
        ("/v1/functions/{}", "function_not_found"),
        ("/v1/functions/{}/versions", "function_not_found"),
        ("/v1/requests/{}", "request_not_found"),
        ("/v1/requests/{}/logs", "request_not_found"),
        ("/v1/runtimes/{}", "runtime_not_found"),
        ("/v1/hooks/{}", "endpoint_not_found"),
    ):
        answer = stack.call("GET", path.format(IDS[name]))
        refused(answer, 404, reason)
        assert "X-Evil" not in answer.headers


# Bytes that are no request


def exchange(stack: Stack, sent: bytes, then: int | None = None) -> requests.Response:
    """Return what the API answers to bytes on a connection of their own, which it closes; ``then``
    is how the client shuts its side down before, if it does.
    """
    with socket.create_connection(("127.0.0.1", stack.ports["api"]), 60) as connection:
        connection.sendall(sent)
        if then is not None:
            connection.shutdown(then)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, body = received.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    answer = requests.Response()
    answer.status_code = int(first.split()[1])
    answer.headers.update(line.split(": ", 1) for line in lines)
    answer._content = body
    return answer


HOST = b"Host: localhost\r\n"
NO_REQUESTS: dict[str, tuple[bytes, int, str]] = {
    "garbage": (b"\x00\x01\x02 garbage\r\n\r\n", 400, "bad_request"),
    "an old version": (b"GET /healthcheck HTTP/0.9\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "a new version": (b"GET /healthcheck HTTP/2.0\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "a byte in the path": (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_request"),
    "a header without a name": (b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400, "bad_request"),
    "a length that is none": (
        b"POST /v1/functions HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        400,
        "bad_request",
    ),
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
    "an expectation": (
        b"POST /v1/functions HTTP/1.1\r\n" + HOST + b"Expect: miracles\r\n\r\n",
        417,
        "expectation_failed",
    ),
    "a long line": (
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        414,
        "request_uri_too_long",
    ),
    "a long header": (
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 9000 + b"\r\n\r\n",
        431,
        "request_header_fields_too_large",
    ),
    "many headers": (
        b"GET / HTTP/1.1\r\n" + HOST + b"X: x\r\n" * 200 + b"\r\n",
        431,
        "request_header_fields_too_large",
    ),
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_what_is_no_request(stack: Stack, name: str) -> None:
    sent, code, reason = NO_REQUESTS[name]
    answer = exchange(stack, sent)
    assert refused(answer, code, reason)
    assert answer.headers["Connection"] == "close"
    good = exchange(stack, b"GET /healthcheck HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert (good.status_code, good.text) == (200, "OK")


def chunked(function: str, *chunks: bytes) -> bytes:
    head = f"POST /v1/functions/{function} HTTP/1.1\r\n".encode() + HOST
    return head + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def test_bodies_in_chunks(stack: Stack, echo: str) -> None:
    body = json.dumps({"payload": "in chunks"}).encode()
    answer = exchange(stack, chunked(echo, chunk(body[:5]), chunk(body[5:]), chunk(b"")))
    assert answer.status_code == 202
    assert stack.ended(answer.json()["request_id"])["result"] == "in chunks"
    broken = exchange(stack, chunked(echo, b"ZZ\r\n"))
    assert "ZZ" in refused(broken, 400, "bad_request")
    large = chunk(b" " * 1_000_000) * 7
    answer = exchange(stack, chunked(echo, large, chunk(b"")))
    assert refused(answer, 413, "too_large") == "the body is larger than 6291456 bytes"


def test_a_body_that_ends_early(stack: Stack, echo: str) -> None:
    """The client closes its side before all that it promised was sent."""
    sent = f"POST /v1/functions/{echo} HTTP/1.1\r\n".encode() + HOST
    sent += b'Connection: close\r\nContent-Length: 100\r\n\r\n{"payload": 1}'
    before: Any = stack.get(f"/v1/requests?function_id={echo}&limit=1")
    answer = exchange(stack, sent, socket.SHUT_WR)
    assert refused(answer, 400, "incomplete") == "the body ended after 14 of 100 bytes"
    assert stack.get(f"/v1/requests?function_id={echo}&limit=1") == before
