"""What a function's Response may be: the runner sends it, the node and the API look at it."""

from typing import Any

import msgspec
import pytest

from pratai_common import limits
from pratai_common.records import ResponseHead
from pratai_common.response_heads import BadResponseError, head_of, render
from pratai_drivers.runner_link import Response as Said
from pratai_drivers.runner_link import head_of as head_said
from pratai_runtimes.python3 import runner
from pratai_runtimes.python3.pratai import Response

PREFIX = "the Response cannot be answered: "


def through(value: Any) -> tuple[int, dict[str, str], bytes]:
    """Return what is answered for what ``main`` returned; raises what ends the run."""
    header, body = runner.answer(value, Response)
    head = head_said(Said(body, header.get("head")))
    return tuple(render(head or ResponseHead(), body))  # type: ignore[return-value]


JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
BYTES = {"Content-Type": "application/octet-stream"}


@pytest.mark.parametrize(
    ("value", "answered"),
    [
        ({"a": 1}, (200, JSON, b'{"a": 1}')),
        ("text", (200, JSON, b'"text"')),
        (Response(), (200, TEXT, b"")),
        (Response("ü\n"), (200, TEXT, "ü\n".encode())),
        (Response(b"\x00\xff"), (200, BYTES, b"\x00\xff")),
        (Response(bytearray(b"a")), (200, BYTES, b"a")),
        (Response(memoryview(b"a")), (200, BYTES, b"a")),
        (Response({"a": [None]}, 201), (201, JSON, b'{"a": [null]}')),
        (Response(None), (200, JSON, b"null")),
        (Response("gone", 599), (599, TEXT, b"gone")),
        (
            Response("<p>", headers={"content-type": "text/html", "X-Own": "a\tb"}),
            (200, {"content-type": "text/html", "X-Own": "a\tb"}, b"<p>"),
        ),
        (
            Response("", 302, {"Location": "/there"}),
            (302, {"Location": "/there", **TEXT}, b""),
        ),
        (Response("not sent", 204), (204, TEXT, b"")),
        (Response("not sent", 304), (304, TEXT, b"")),
    ],
)
def test_what_is_answered(value: Any, answered: tuple[int, dict[str, str], bytes]) -> None:
    assert through(value) == answered


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Response("", 199), PREFIX + "Expected `int` >= 200 - at `$.status`"),
        (Response("", 101), PREFIX + "Expected `int` >= 200 - at `$.status`"),
        (Response("", 600), PREFIX + "Expected `int` <= 599 - at `$.status`"),
        (Response("", True), PREFIX + "Expected `int`, got `bool` - at `$.status`"),
        (Response("", "200"), PREFIX + "Expected `int`, got `str` - at `$.status`"),  # type: ignore[arg-type]
        (Response("", 10**30), PREFIX + "Expected `int` <= 599 - at `$.status`"),
        (
            Response("", headers={"X": 1}),  # type: ignore[dict-item]
            PREFIX + "Expected `str`, got `int` - at `$.headers[...]`",
        ),
        (
            Response("", headers={f"X-{number}": "" for number in range(51)}),
            PREFIX + "Expected `object` of length <= 50 - at `$.headers`",
        ),
        (Response("", headers={"X-A": "1", "x-a": "2"}), "the Response has the header x-a twice"),
        (
            Response("", headers={"X": "x" * limits.MAX_RESPONSE_HEADERS_BYTES}),
            "the Response has 8193 bytes of headers, 8192 are allowed",
        ),
    ],
)
def test_what_the_node_refuses(value: Response, message: str) -> None:
    with pytest.raises(BadResponseError) as found:
        through(value)
    assert str(found.value) == message


@pytest.mark.parametrize("text", ["a\nb", "a\r\nSet-Cookie: x", "\x00", "ü", "\x7f"])
def test_a_header_is_one_line_of_ascii(text: str) -> None:
    for headers in ({"X": text}, {text: "x"}):
        with pytest.raises(BadResponseError, match="matching regex"):
            through(Response("", headers=headers))
    for name in ("", " X", "X:", "X Y"):
        with pytest.raises(BadResponseError, match="matching regex"):
            through(Response("", headers={name: "x"}))


@pytest.mark.parametrize(
    "name",
    [
        "Alt-Svc", "Clear-Site-Data", "Connection", "Content-Length", "Date", "Keep-Alive", "NEL",
        "Proxy-Authenticate", "Server", "Set-Cookie", "Strict-Transport-Security",
        "Transfer-Encoding", "Upgrade", "X-Accel-Redirect", "X-Content-Type-Options",
        "X-Openstack-Request-Id", "X-Pratai-Request-Id", "x-pratai-answered-by",
    ],
)  # fmt: skip
def test_headers_that_are_not_a_functions(name: str) -> None:
    with pytest.raises(BadResponseError) as found:
        through(Response("", headers={name: "x"}))
    assert str(found.value) == f"a Response may not have the header {name.lower()}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Response({1, 2}), "main returned no JSON: Object of type set is not JSON serializable"),
        (Response("\ud800"), "main returned no JSON: 'utf-8' codec can't encode"),
        (Response("", headers=5), "the Response's status or headers are none: 'int' object"),  # type: ignore[arg-type]
        (Response("", status={1}), "the Response's status or headers are none: Object of"),  # type: ignore[arg-type]
        (Response("", status=float("nan")), "the Response's status or headers are none: "),  # type: ignore[arg-type]
        (Response("", headers={"X": "x" * 10**5}), "the Response's headers are too large"),
    ],
)
def test_what_the_runner_refuses(value: Response, message: str) -> None:
    with pytest.raises(runner.BadResultError) as found:
        through(value)
    assert (found.value.reason, str(found.value)[: len(message)]) == ("bad_result", message)


def test_bytes_count_as_what_is_stored_of_them() -> None:
    most = runner.MAX_RESULT_BYTES // 4 * 3 - 3
    assert len(through(Response(b"x" * most))[2]) == most
    with pytest.raises(runner.BadResultError) as found:
        through(Response(b"x" * (most + 3)))
    assert found.value.reason == "result_too_large"


@pytest.mark.parametrize(
    ("encoding", "result", "message"),
    [
        ("text", b"1", "the Response's body is no text: Expected `str`, got `int`"),
        ("text", b'"\xff"', "the Response's body is no text: 'utf-8' codec can't decode"),
        ("text", rb'"\ud800"', "the Response's body is no text: "),
        ("base64", b'"a"', "the Response's body is no base64: Invalid base64"),
        ("base64", b"[]", "the Response's body is no base64: Expected"),
    ],
)
def test_a_result_that_is_not_what_its_head_says(
    encoding: str, result: bytes, message: str
) -> None:
    """Not by our runner: whoever writes to its connection could be anybody in the container."""
    with pytest.raises(BadResponseError) as found:
        render(head_of({"encoding": encoding}), result)
    assert str(found.value)[: len(message)] == message


@pytest.mark.parametrize(
    "said",
    [
        [], 5, "x", True, {"encoding": "gzip"}, {"headers": None}, {"encoding": "\ud800"},
        {"\ud800": 1}, {"headers": {"\ud800": "x"}}, {"encoding": "x" * 10**5},
    ],
)  # fmt: skip
def test_a_head_that_is_none(said: object) -> None:
    """Whatever is in it, what is said of it can be sent on."""
    with pytest.raises(BadResponseError) as found:
        head_said(Said(b"1", said))
    assert str(found.value).startswith(PREFIX)
    assert len(str(found.value).encode()) < 500


def test_what_is_no_json_is_no_answer_with_or_without_a_head() -> None:
    for head in (None, {}):
        with pytest.raises(BadResponseError) as found:
            head_said(Said(b"{", head))
        assert str(found.value) == "the function's answer is no JSON"
    assert head_said(Said(b"{}", {})) == ResponseHead()
    assert msgspec.json.encode(ResponseHead()) == b'{"status":200,"headers":{},"encoding":"json"}'
