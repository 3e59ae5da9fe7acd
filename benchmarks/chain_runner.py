"""What runs the function of the plain chain (``chain.py``): JSON comes in and goes out by the unix
socket that is its standard input, each with its length before it.
"""

import json
import socket
import struct
import sys
from typing import Any

SIZE = struct.Struct("!I")


def read(connection: socket.socket) -> bytes:
    """Return the next text; ends the process where the other end is closed."""
    (size,) = SIZE.unpack(_read(connection, SIZE.size))
    return _read(connection, size)


def write(connection: socket.socket, text: bytes) -> None:
    """Send a text."""
    connection.sendall(SIZE.pack(len(text)) + text)


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            sys.exit()
        received += part
    return received


def _main(payload: Any = None) -> Any:
    return payload


def main() -> None:
    """Run the program."""
    node = socket.socket(fileno=sys.stdin.fileno())
    while True:
        write(node, json.dumps(_main(json.loads(read(node)))).encode())


if __name__ == "__main__":
    main()
