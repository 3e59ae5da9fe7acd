"""Network namespaces as machines of their own: no way leads out of one but the link it is given."""

import ipaddress
import random
import subprocess
import uuid
from pathlib import Path

_BELOW = ipaddress.ip_network("10.213.0.0/16")
"""Where links get their addresses: a private range, each link a network of two."""


def run(*words: str) -> None:
    """Run a command, which must succeed."""
    subprocess.run(words, check=True, capture_output=True)


class Namespace:
    """A network namespace with loopback alone."""

    def __init__(self) -> None:
        self.name = f"pratai-{uuid.uuid4().hex[:8]}"
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")

    def command(self, *words: str | Path) -> list[str | Path]:
        """Return a command that runs in it. (``ip netns exec`` would hide the control groups.)"""
        return ["nsenter", f"--net=/run/netns/{self.name}", *words]

    def remove(self) -> None:
        run("ip", "netns", "delete", self.name)


class Link:
    """A cable between this machine and a namespace. ``here`` and ``there`` are the addresses of its
    ends, ``network`` the network of the two.
    """

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._end = f"pf{uuid.uuid4().hex[:8]}"
        offset = 4 * random.randrange(_BELOW.num_addresses // 4)
        chosen = ipaddress.ip_network((_BELOW[offset], 30))
        self.network = str(chosen)
        self.here, self.there = map(str, chosen.hosts())
        peer = ("peer", "name", self._end, "netns", space.name)
        run("ip", "link", "add", self._end, "type", "veth", *peer)
        run("ip", "address", "add", f"{self.here}/30", "dev", self._end)
        run("ip", "link", "set", self._end, "up")
        run("ip", "-n", space.name, "address", "add", f"{self.there}/30", "dev", self._end)
        self.mend()

    def cut(self) -> None:
        """Let nothing through any more; who is connected is not told."""
        run("ip", "-n", self._space.name, "link", "set", self._end, "down")

    def mend(self) -> None:
        """Let everything through."""
        run("ip", "-n", self._space.name, "link", "set", self._end, "up")

    def remove(self) -> None:
        run("ip", "link", "delete", self._end)
