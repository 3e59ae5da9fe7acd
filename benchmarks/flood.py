"""``python -m benchmarks.flood URL PATH CLIENTS REQUESTS [CODE]``: many clients in one process that
costs as little as it can, so that what is measured is the server.

Each client has a connection that stays open, and sends its next event when the former one was
answered with the HTTP status ``CODE``: 202, accepted, unless it says otherwise; what is answered
with 200 has to echo. Prints how long that took, and of each number how long it took, and its id.
"""

import select
import socket
import sys
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

_TIMEOUT_SECONDS = 120
_READ_BYTES = 65536
_END_OF_HEAD = b"\r\n\r\n"


class Flooded(msgspec.Struct):
    """``seconds`` from the first event to the last answer; ``ids[n]`` is that of number n, and
    ``times[n]`` the milliseconds until its answer.
    """

    seconds: float
    ids: list[str | None]
    times: list[float]


class _Accepted(msgspec.Struct):
    request_id: str | None = None


class _Sent(NamedTuple):
    connection: socket.socket
    number: int
    answer: bytearray
    at: float


class _Whole(NamedTuple):
    head: bytes
    body: bytes


def flood(url: str, path: str, clients: int, requests: int, code: int = 202) -> Flooded:
    """Send every number below ``requests`` as an event; each must be answered with the code."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    place = (address.hostname, address.port)
    connections = [socket.create_connection(place, _TIMEOUT_SECONDS) for _ in range(clients)]
    try:
        return _flood(connections, head, requests, code)
    finally:
        for each in connections:
            each.close()


def _flood(connections: list[socket.socket], head: bytes, requests: int, code: int) -> Flooded:
    ids: list[str | None] = [None] * requests
    times = [0.0] * requests
    numbers = iter(range(requests))
    sent: dict[int, _Sent] = {}
    with select.epoll() as poll:
        for each in connections:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(each, select.EPOLLIN)
        began = time.perf_counter()
        for each, number in zip(connections, numbers, strict=False):
            sent[each.fileno()] = _send(each, head, number)
        while sent:
            ready = poll.poll(_TIMEOUT_SECONDS)
            assert ready, f"no answer in {_TIMEOUT_SECONDS} s"
            for descriptor, _ in ready:
                waiting = sent[descriptor]
                if (answer := _answer(waiting)) is None:
                    continue
                number = waiting.number
                times[number] = (time.perf_counter() - waiting.at) * 1000
                ids[number] = _checked(answer, number, code)
                del sent[descriptor]
                following = next(numbers, None)
                if following is not None:
                    sent[descriptor] = _send(waiting.connection, head, following)
        return Flooded(time.perf_counter() - began, ids, times)


def _send(connection: socket.socket, head: bytes, number: int) -> _Sent:
    body = b'{"payload": %d}' % number
    at = time.perf_counter()
    connection.sendall(b"%b%d%b%b" % (head, len(body), _END_OF_HEAD, body))
    return _Sent(connection, number, bytearray(), at)


def _answer(sent: _Sent) -> _Whole | None:
    """Read on; return a whole answer, ``None`` while some of it is to come."""
    read = sent.connection.recv(_READ_BYTES)
    assert read, "the server closed a connection"
    sent.answer.extend(read)
    head, end, body = bytes(sent.answer).partition(_END_OF_HEAD)
    if not end:
        return None
    length = _header(head, b"content-length")
    assert length is not None, head
    return _Whole(head, body) if len(body) == int(length) else None


def _checked(answer: _Whole, number: int, code: int) -> str | None:
    """Return the id that an answer gives, which has to be as it was asked for."""
    assert answer.head.startswith(b"HTTP/1.1 %d " % code), answer
    if code == 202:
        return msgspec.json.decode(answer.body, type=_Accepted).request_id
    assert answer.body == b"%d" % number, answer
    return _header(answer.head, b"x-pratai-request-id")


def _header(head: bytes, name: bytes) -> str | None:
    _, _, rest = head.lower().partition(b"\r\n%b:" % name)
    return rest.partition(b"\r\n")[0].strip().decode() or None


def main() -> None:
    """Run the program."""
    url, path, clients, requests, *code = sys.argv[1:]
    done = flood(url, path, int(clients), int(requests), *map(int, code))
    sys.stdout.buffer.write(msgspec.json.encode(done))


if __name__ == "__main__":
    main()
