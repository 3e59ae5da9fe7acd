"""An engine that does nothing: every function answers what it got, in the node's own process.

It speaks the runner protocol over the same socket, so the whole chain around a container can be
measured and tested without one. Choose it with ``[driver] engine = null``.
"""

import json
import os
import socket
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from oslo_config import cfg

from pratai_common.conf import runtime_names
from pratai_common.package import PackageFile
from pratai_drivers.engines.base import BuildSpec, Container, Engine, Exit, Print, RunSpec


class NullContainer(Container):
    """A thread that answers one event with its own payload."""

    def __init__(self, link: Path) -> None:
        self._thread = threading.Thread(target=_echo, args=(link,), daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> Exit | None:
        """See Container."""
        self._thread.join(seconds)
        return None if self._thread.is_alive() else Exit(0, False)

    def peak_memory(self) -> int | None:
        """See Container."""
        return None

    def out_of_memory(self) -> bool:
        """See Container."""
        return False

    def remove(self) -> None:
        """See Container: the thread ends when the node closes its socket."""


class NullEngine(Engine):
    """See the module."""

    def __init__(self, runtimes: list[str]) -> None:
        self._runtimes = runtimes
        self._images: set[str] = set()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "NullEngine":
        """See Engine."""
        return cls(list(runtime_names(conf)))

    def prepare(self, say: Print) -> dict[str, str]:
        """See Engine."""
        images = {runtime: f"null/{runtime}" for runtime in self._runtimes}
        self._images.update(images.values())
        return images

    def open(self) -> None:
        """See Engine."""

    def close(self) -> None:
        """See Engine."""

    def check(self) -> None:
        """See Engine."""

    def sweep(self, dead_nodes: Sequence[str]) -> None:
        """See Engine."""

    def has_image(self, image: str) -> bool:
        """See Engine."""
        return image in self._images

    def install(self, spec: BuildSpec, say: Print) -> None:
        """See Engine."""
        self._images.add(spec.image)

    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """See Engine."""
        self._images.add(image)

    def start(self, spec: RunSpec) -> Container:
        """See Engine."""
        return NullContainer(spec.link)


def _echo(link: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            _connect(connection, link)
            connection.sendall(b'{"op": "next", "size": 0}\n')
            with connection.makefile("rb") as file:
                header = json.loads(file.readline())
                payload = file.read(header["size"])
            answer = {"op": "response", "size": len(payload)}
            connection.sendall(json.dumps(answer).encode() + b"\n" + payload)
    except (OSError, ValueError):
        return  # the node went away; nobody is left to tell


def _connect(connection: socket.socket, link: Path) -> None:
    """Reach the node; through /proc, because a socket's path may be no longer than 107 bytes."""
    descriptor = os.open(link, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/node.sock")
    finally:
        os.close(descriptor)
