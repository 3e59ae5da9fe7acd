"""Both ends of the runner's connection: whatever is said on it, and however it is cut up."""

import itertools
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import limits, response_heads
from pratai_common.records import ResponseHead
from pratai_common.response_heads import BadResponseError
from pratai_drivers.runner_link import (
    Failure,
    ProtocolError,
    Ready,
    Response,
    RunnerLink,
    Said,
    event_header,
    head_of,
)
from pratai_runtimes.python3 import pratai, pratai_processes, runner
from tests.fuzz.fuzzing import fuzz, thorough
from tests.fuzz.inputs import altered, damaged

HEADERS: list[dict[str, Any]] = [
    {"op": "next", "size": 0},
    {"op": "response", "size": 4},
    {
        "op": "response",
        "head": {"status": 201, "headers": {"A": "b"}, "encoding": "text"},
        "size": 3,
    },
    {"op": "error", "reason": "exception", "message": "m", "size": 0},
    {"op": "init_error", "reason": "exit_code", "message": "m", "size": 0},
]
BODIES = {0: b"", 3: b'"a"', 4: b"null"}
SAID = [json.dumps(each).encode() + b"\n" + BODIES[each["size"]] for each in HEADERS]
ODD = [
    b"\n", b"{", b"\xff\xfe", b"\0", b"true", b"1e400", b"-1", b"6291457", b"9" * 5000,
    b'"\\ud800"', b"[" * 2000, b'{"size": 0}\n', b"x" * 65_536,
]  # fmt: skip
PATIENCE = 10_000


def heard(pieces: Sequence[bytes]) -> list[Said | str]:
    """Return what a node hears of these pieces: at the end, perhaps, that it is disturbed."""
    link, all_said = RunnerLink(), []
    try:
        for piece in pieces:
            said = link.feed(piece)
            while said is not None:
                all_said.append(said)
                said = link.feed(b"")
    except ProtocolError as error:
        return [*all_said, f"disturbed: {error}"]
    return all_said


def cut(content: bytes, places: Sequence[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(ends)]


def one_line(header: Any) -> bytes:
    return json.dumps(header).encode() + b"\n"


def sequences() -> st.SearchStrategy[bytes]:
    pieces = (
        st.sampled_from(SAID)
        | damaged(SAID, ODD)
        | altered(HEADERS).map(one_line)
        | st.binary(max_size=30)
    )
    return st.lists(pieces, min_size=1, max_size=4).map(b"".join)


@fuzz("runner-link", sequences(), 120)
def test_a_node_hears_the_same_however_it_is_cut(content: bytes) -> None:
    at_once = heard([content])
    assert len(at_once) <= content.count(b"\n") + 1
    for said in at_once:
        if isinstance(said, Failure):
            said.message.encode()
        elif isinstance(said, Response):
            sound(said)
    if len(content) < PATIENCE:
        assert heard([content[at : at + 1] for at in range(len(content))]) == at_once
    halves = len(content) // 2
    assert heard(cut(content, [1, halves, halves + 1, -2])) == at_once


def sound(said: Response) -> None:
    """Check that an answer is refused, or can be given by HTTP and be sent on."""
    try:
        head = head_of(said)
    except BadResponseError as error:
        str(error).encode()
        return
    said.body.decode()
    answered = response_heads.render(head or ResponseHead(), said.body)
    assert 200 <= answered.status <= 599
    msgspec.msgpack.encode(head)
    for name, value in answered.headers.items():
        f"{name}: {value}".encode("latin-1")
        assert "\n" not in f"{name}{value}"
        assert "\r" not in f"{name}{value}"


HEADS: list[Any] = [
    {"status": 201, "headers": {"Location": "/x", "X-A": "b"}, "encoding": "text"},
    {"headers": {"Content-Type": "text/html"}, "encoding": "base64"},
    {},
]
NAMES = st.sampled_from(["A", "a", "Set-Cookie", "x-pratai-a", "é", "", "A B", "A\n", "\ud800"])
HEADERS_OF_HEADS = st.fixed_dictionaries(
    {"headers": st.dictionaries(NAMES, st.text(max_size=5) | NAMES | st.just("x" * 9000))}
)
TEXTS = [b"null", b'"a"', b'"YQ=="', b'"\\ud800"', b'"\\u0000"', b"\xff", b"", b"[" * 3000, b"{}"]


@st.composite
def answers(draw: Callable[..., Any]) -> bytes:
    """Return a header of an answer and its body."""
    head = draw(altered(HEADS) | HEADERS_OF_HEADS)
    body = draw(st.sampled_from(TEXTS) | damaged(TEXTS))
    return one_line({"op": "response", "head": head, "size": len(body)}) + body


@fuzz("answers", answers(), 120)
def test_an_answer_is_refused_or_given(content: bytes) -> None:
    for said in heard([content]):
        if isinstance(said, Response):
            sound(said)


@fuzz("copies", sequences(), 120)
def test_a_runner_passes_on_an_answer_or_nothing(content: bytes) -> None:
    """What an event's own process says, which nobody believes: the node takes it as one answer."""
    try:
        message = pratai_processes._complete(bytearray(content))
    except pratai_processes.DisturbedError as error:
        str(error).encode(errors="backslashreplace")
        return
    if message is None:
        return
    (said,) = heard([message])
    assert isinstance(said, Response | Failure)
    assert content.startswith(message)


# The runner's own end

RESULTS: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner)
        | st.just({1})
        | st.binary(max_size=5)
    ),
    max_leaves=6,
)
RESPONSES = st.builds(
    pratai.Response,
    RESULTS | st.binary(max_size=20),
    st.sampled_from([200, 204, 599, 600, "200", None, 2**70, True, 200.0]) | st.integers(),
    st.none()
    | st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)
    | st.just({"A": 1})
    | st.just({"A": "x" * 40_000})
    | st.just([("A", "b")])
    | st.just("text"),
)


@contextmanager
def connected() -> Iterator[tuple[runner.Link, socket.socket]]:
    """Yield both ends of a runner's connection: what does not come in a minute never does."""
    listening = listener()
    link = runner.connected(NODE)
    node, _ = listening.accept()
    with node, link._file, link._socket:
        node.settimeout(60)
        link._socket.settimeout(60)
        yield link, node


@pytest.fixture(scope="module", autouse=True)
def listening() -> Iterator[None]:
    """Runners connect until all of these are done."""
    yield
    listener().close()
    listener.cache_clear()


@cache
def listener() -> socket.socket:
    """Return where runners connect."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(NODE)
    listening.listen()
    return listening


NODE = f"\0pratai-fuzz-{os.getpid()}"
"""A name that is no file."""


@thorough(120)
@given(RESULTS | RESPONSES)
def test_what_main_returns_reaches_the_node_or_is_no_result(value: Any) -> None:
    with connected() as (link, node):
        try:
            head, body = runner.answer(value, pratai.Response)
        except runner.BadResultError as error:
            link.pass_on(runner.failed("error", error.reason, str(error)))
        else:
            link.send({"op": "response", **head}, body)
        link._socket.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: node.recv(65_536), b""))
    (said,) = heard(cut(received, [1, len(received) // 2]))
    if isinstance(said, Response):
        assert (said.body, said.head) == (body, json.loads(json.dumps(head)).get("head"))
        sound(said)
        if not isinstance(value, pratai.Response):
            assert json.loads(said.body) == json.loads(json.dumps(value))
    else:
        assert isinstance(said, Failure)
        assert said.reason in {"bad_result", "result_too_large"}


@thorough(60)
@given(
    st.dictionaries(st.text(), st.text(st.characters(exclude_categories=()))),
    st.floats(0, 900),
    st.binary(max_size=100_000),
    st.lists(st.integers(0), max_size=3),
)
def test_an_event_reaches_the_runner_however_it_is_cut(
    context: dict[str, object], timeout: float, payload: bytes, places: list[int]
) -> None:
    with connected() as (link, node):
        content = event_header(context, timeout, len(payload)) + payload
        for piece in cut(content, places):
            node.sendall(piece)
        header, received = link.next()
        assert heard([node.recv(65_536)]) == [Ready()]
    assert (header["context"], header["timeout"], received) == (context, timeout, payload)


SMALL = st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | st.text(max_size=3)
EVENTS: list[Any] = [{"op": "event", "context": {"request_id": "r"}, "timeout": 5.0, "size": 4}]


@fuzz(
    "runner",
    altered(EVENTS, SMALL).map(one_line) | damaged([one_line(EVENTS[0]) + b"null"], ODD),
    60,
)
def test_what_no_node_says_ends_the_runner(content: bytes) -> None:
    """By an exception, which ends its process: nothing of it is taken for an event."""
    with connected() as (link, node):
        node.sendall(content)
        node.shutdown(socket.SHUT_WR)
        with suppress(
            EOFError, KeyError, TypeError, ValueError, RecursionError, OverflowError, MemoryError
        ):
            header, payload = link.next()
            line, _, rest = content.partition(b"\n")
            assert json.dumps(header) == json.dumps(json.loads(line))
            assert rest.startswith(payload)


def test_a_header_is_never_longer_than_the_node_allows() -> None:
    """What the runner cuts off, the node takes whole: of characters that JSON writes longest."""
    said = one_line({"op": "error", "reason": "x", "message": "\U0001f600" * 4096, "size": 0})
    assert heard([said]) == [Failure("exception", "\U0001f600" * 4096)]
    head = {"headers": {"A": "x" * (runner.MAX_HEAD_BYTES - 100)}}
    (answer,) = heard([one_line({"op": "response", "head": head, "size": 1}) + b"7"])
    assert answer == Response(b"7", head)
    with pytest.raises(BadResponseError):
        head_of(Response(b"7", head))
    assert limits.MAX_BODY_BYTES == runner.MAX_RESULT_BYTES
