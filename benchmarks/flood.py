"""``python -m benchmarks.flood URL PATH CLIENTS REQUESTS``: many clients in one process that costs
as little as it can, so that what is measured is the server.

Each client has a connection that stays open, and sends its next event when the former one was
accepted. Prints how long that took, and the id that was answered to each number.
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
_LENGTH = b"content-length:"


class Flooded(msgspec.Struct):
    """``seconds`` from the first event to the last answer; ``ids[n]`` is that of number n."""

    seconds: float
    ids: list[str | None]


class _Accepted(msgspec.Struct):
    request_id: str | None = None


class _Sent(NamedTuple):
    connection: socket.socket
    number: int
    answer: bytearray


def flood(url: str, path: str, clients: int, requests: int) -> Flooded:
    """Send every number below ``requests`` as an event; each must be accepted."""
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
        return _flood(connections, head, requests)
    finally:
        for each in connections:
            each.close()


def _flood(connections: list[socket.socket], head: bytes, requests: int) -> Flooded:
    ids: list[str | None] = [None] * requests
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
                if (body := _body(waiting)) is None:
                    continue
                ids[waiting.number] = msgspec.json.decode(body, type=_Accepted).request_id
                del sent[descriptor]
                following = next(numbers, None)
                if following is not None:
                    sent[descriptor] = _send(waiting.connection, head, following)
        return Flooded(time.perf_counter() - began, ids)


def _send(connection: socket.socket, head: bytes, number: int) -> _Sent:
    body = b'{"payload": %d}' % number
    connection.sendall(b"%b%d%b%b" % (head, len(body), _END_OF_HEAD, body))
    return _Sent(connection, number, bytearray())


def _body(sent: _Sent) -> bytes | None:
    """Read on; return what a whole answer holds, ``None`` while some of it is to come."""
    read = sent.connection.recv(_READ_BYTES)
    assert read, "the server closed a connection"
    sent.answer.extend(read)
    head, end, body = bytes(sent.answer).partition(_END_OF_HEAD)
    if not end:
        return None
    assert head.startswith(b"HTTP/1.1 202 "), bytes(sent.answer)
    lower = head.lower()
    start = lower.index(_LENGTH) + len(_LENGTH)
    length = int(lower[start:].partition(b"\r\n")[0])
    return body if len(body) == length else None


def main() -> None:
    """Run the program."""
    url, path, clients, requests = sys.argv[1:]
    done = flood(url, path, int(clients), int(requests))
    sys.stdout.buffer.write(msgspec.json.encode(done))


if __name__ == "__main__":
    main()
