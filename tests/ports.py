"""Ports for what tests start: none of those that the kernel gives to whoever connects, which may be
taken between the look and the start, or while a server is away.

Each is given once on this machine, as long as the process lives that asked: what is to listen there
has not begun to when the next port is wanted, by this process or another test run's.

.venv/bin/python -m tests.ports COUNT
"""

import fcntl
import functools
import os
import random
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

_PORTS = range(20_000, 32_000)
_CHANCE = random.SystemRandom()
"""Hypothesis gives all processes of a test run the same numbers."""

_given: set[int] = set()


def free_port() -> int:
    """Return one that nobody listens at on the loopback interface, and nobody else was given."""
    while True:
        port = _CHANCE.choice(_PORTS)
        if port not in _given and _is_free(port) and _claimed(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _claimed(port: int) -> bool:
    """Lock the byte of a port in a file that all share; the end of the process unlocks it."""
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    return True


@functools.cache
def _claims() -> int:
    """Return the file of all claims, which is never closed: that would unlock it."""
    path = Path(tempfile.gettempdir()) / f"pratai-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


if __name__ == "__main__":
    print(*(free_port() for _ in range(int(sys.argv[1]))))
