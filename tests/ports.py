"""Ports for what tests start: none of those that the kernel gives to whoever connects.

Such a one may be taken between the look and the start.

.venv/bin/python -m tests.ports COUNT
"""

import random
import socket
import sys
from contextlib import suppress

_PORTS = range(20_000, 32_000)
_CHANCE = random.SystemRandom()
"""Hypothesis gives all processes of a test run the same numbers."""


def free_port() -> int:
    """Return one that nobody listens at on the loopback interface."""
    while True:
        port = _CHANCE.choice(_PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


if __name__ == "__main__":
    print(*(free_port() for _ in range(int(sys.argv[1]))))
