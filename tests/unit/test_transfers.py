"""What a node fetches: from servers that are well, that are not, and that give something else."""

import hashlib
import http.server
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from pratai_common import limits
from pratai_common.errors import ArchiveMissingError, TransferError
from pratai_drivers.transfers import PAUSES_SECONDS, Transfers
from tests.ports import free_port
from tests.serving import Handler, Served

CONTENT = b"content" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SECRET = "a-signature-that-is-a-right"
MOST = limits.MAX_ZIP_BYTES

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """Gives one answer after the other, the last one again and again; notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        outer = self

        class Answering(Handler):
            def do_GET(self) -> None:
                outer.asked.append(f"{self.command} {self.path.partition('?')[0]}")
                more = len(outer.answers) > 1
                (outer.answers.pop(0) if more else outer.answers[0])(self)

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

        self._served = Served(Answering)
        self.url = f"http://127.0.0.1:{self._served.port}/a?signature={SECRET}"

    def close(self) -> None:
        self._served.close()


def gives(content: bytes = CONTENT, code: int = 200, length: int | None = None) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        if code == 302:
            handler.send_header("Location", "/elsewhere")
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    return answer


def hangs_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def stalls(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Give a part, and the rest not before it is wanted no more."""
    gives(CONTENT[:1], length=len(CONTENT))(handler)
    handler.rfile.read()


def trickles(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Give a little again and again, and never be silent for long."""
    gives(b"", length=len(CONTENT))(handler)
    with suppress(OSError):
        for byte in CONTENT:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def transfers() -> Transfers:
    return Transfers(5, pauses=(0, 0))


def test_an_archive_is_fetched(server: Server, transfers: Transfers) -> None:
    server.answers = [gives()]
    for _ in range(2):
        assert transfers.fetch(server.url, SHA256, MOST) == CONTENT
    assert server.asked == ["GET /a"] * 2
    transfers.check()
    assert server.asked == ["GET /a"] * 2


@pytest.mark.parametrize(
    "trouble",
    [
        gives(b"", 500),
        gives(b"", 502),
        gives(b"", 503),
        gives(b"", 429),
        gives(b"other"),
        gives(CONTENT[:-1]),
        gives(CONTENT[:-1], length=len(CONTENT)),
        hangs_up,
    ],
)
def test_what_may_pass_is_tried_again(
    server: Server, transfers: Transfers, trouble: Answer
) -> None:
    server.answers = [trouble, trouble, gives()]
    assert transfers.fetch(server.url, SHA256, MOST) == CONTENT
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [(gives(b"", 503), "answered with 503"), (hangs_up, "ProtocolError")],
)
def test_what_does_not_pass(server: Server, transfers: Transfers, answer: Answer, why: str) -> None:
    """The node takes no jobs until whoever it asked answers again."""
    server.answers = [answer]
    with pytest.raises(TransferError, match=f"^an archive could not be fetched: {why}$"):
        transfers.fetch(server.url, SHA256, MOST)
    assert len(server.asked) == 3
    with pytest.raises(TransferError, match=f"^archives cannot be fetched: {why}$"):
        transfers.check()
    server.answers = [gives()]
    transfers.check()
    assert server.asked[3:] == ["HEAD /a"] * 2
    transfers.check()
    assert len(server.asked) == 5


def test_nobody_is_there(transfers: Transfers) -> None:
    url = f"http://127.0.0.1:{free_port()}/a?signature={SECRET}"
    with pytest.raises(TransferError, match="NewConnectionError") as raised:
        transfers.fetch(url, SHA256, MOST)
    assert SECRET not in str(raised.value)
    with pytest.raises(TransferError, match="NewConnectionError") as raised:
        transfers.check()
    assert SECRET not in str(raised.value)


def test_whoever_is_silent_is_waited_for_only_so_long() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(TransferError, match="ReadTimeoutError"):
            Transfers(0.1, pauses=(0,)).fetch(url, SHA256, MOST)


@pytest.mark.parametrize("code", [301, 302, 400, 401, 403, 410])
def test_a_refusal_is_final_for_this_address_and_not_the_users_fault(
    server: Server, transfers: Transfers, code: int
) -> None:
    server.answers = [gives(b"", code)]
    with pytest.raises(TransferError, match=f"answered with {code}"):
        transfers.fetch(server.url, SHA256, MOST)
    assert server.asked == ["GET /a"]
    transfers.check()


def test_what_is_not_there(server: Server, transfers: Transfers) -> None:
    server.answers = [gives(b"", 404)]
    with pytest.raises(ArchiveMissingError):
        transfers.fetch(server.url, SHA256, MOST)
    assert server.asked == ["GET /a"]


def test_what_stays_damaged_is_missing(server: Server, transfers: Transfers) -> None:
    server.answers = [gives(b"other")]
    with pytest.raises(ArchiveMissingError, match="is damaged"):
        transfers.fetch(server.url, SHA256, MOST)
    assert len(server.asked) == 3
    server.answers = [gives()]
    assert transfers.fetch(server.url, SHA256, MOST) == CONTENT


def test_more_than_there_can_be_is_not_read(server: Server, transfers: Transfers) -> None:
    server.answers = [gives()]
    with pytest.raises(ArchiveMissingError, match="more than 699999 bytes"):
        transfers.fetch(server.url, SHA256, len(CONTENT) - 1)
    assert transfers.fetch(server.url, SHA256, len(CONTENT)) == CONTENT


def test_nothing_is_tried_again_that_is_not_wanted_any_more(server: Server) -> None:
    server.answers = [gives(b"", 503)]
    transfers = Transfers(5, pauses=(600,))
    with pytest.raises(TransferError, match="503"):
        transfers.fetch(server.url, SHA256, MOST, lambda: True)
    assert server.asked == ["GET /a"]


def test_what_is_wanted_no_more_is_not_read_to_its_end(server: Server) -> None:
    server.answers = [stalls]
    with pytest.raises(TransferError, match="too slow, or wanted no more"):
        Transfers(60, pauses=(600,)).fetch(server.url, SHA256, MOST, lambda: True)
    assert server.asked == ["GET /a"]


def test_whoever_is_slow_is_waited_for_only_so_long(server: Server) -> None:
    """It gives far more than a timeout allows to be silent, and all would take hours."""
    server.answers = [trickles]
    with pytest.raises(TransferError, match="too slow, or wanted no more"):
        Transfers(0.1, pauses=()).fetch(server.url, SHA256, MOST)
    server.answers = [gives()]
    assert Transfers(0.1, pauses=()).fetch(server.url, SHA256, MOST) == CONTENT


def test_proxies_of_the_environment_are_not_used(
    server: Server, transfers: Transfers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    server.answers = [gives()]
    assert transfers.fetch(server.url, SHA256, MOST) == CONTENT


def test_addresses_stand_in_no_log(
    server: Server, transfers: Transfers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.answers = [gives(b"", 503), hangs_up, gives()]
    transfers.fetch(server.url, SHA256, MOST)
    assert "asked for again" in caplog.text
    assert SECRET not in caplog.text


def test_an_api_that_is_restarted_is_waited_for() -> None:
    assert 5 < sum(PAUSES_SECONDS) < 15


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (gives(b"", 503), "answered with 503"),
        (gives(b"", 403), "answered with 403"),
        (gives(b"", 302), "answered with 302"),
        (gives(b"OK"), "DecodeError"),
        (gives(b"{}"), "ValidationError"),
        (gives(b'{"sha256": "another"}'), "something else arrived"),
        (hangs_up, "ProtocolError"),
    ],
)
def test_what_is_brought_is_tried_once(
    server: Server, transfers: Transfers, answer: Answer, why: str
) -> None:
    """The spool has it, and tries again."""
    server.answers = [answer, gives(f'{{"size": 1, "sha256": "{SHA256}"}}'.encode())]
    with pytest.raises(TransferError, match=f"^{why}$"):
        transfers.bring(server.url, CONTENT, SHA256, {})
    assert server.asked == ["POST /a"]
    transfers.bring(server.url, CONTENT, SHA256, {"X-Name": "value"})
    assert server.asked == ["POST /a"] * 2
