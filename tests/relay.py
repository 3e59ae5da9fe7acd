"""Passes connections on: python tests/relay.py LISTEN CONNECT, each ``HOST:PORT`` or a path.

Two of them are a way between network namespaces, by a socket of the file system.
"""

import socket
import sys
import threading
from contextlib import suppress


def listening(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if colon:
        return socket.create_server((host, int(port)))
    made = socket.socket(socket.AF_UNIX)
    made.bind(address)
    made.listen()
    return made


def connected(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if colon:
        return socket.create_connection((host, int(port)))
    made = socket.socket(socket.AF_UNIX)
    made.connect(address)
    return made


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(1 << 16):
            sink.sendall(received)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def main(listen: str, connect: str) -> None:
    with listening(listen) as server:
        while True:
            here, _ = server.accept()
            try:
                there = connected(connect)
            except OSError:  # nobody listens there, yet or any more
                here.close()
                continue
            for pair in ((here, there), (there, here)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
