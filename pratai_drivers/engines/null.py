"""An engine that does nothing: every function answers what it got, in the node's own process.

It speaks the runner protocol over the same socket, so the whole chain around a container can be
measured and tested without one. Choose it with ``[driver] engine = null``.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from oslo_config import cfg

from pratai_common.conf import runtime_names
from pratai_common.errors import EngineError, ImageMissingError
from pratai_common.package import PackageFile
from pratai_drivers.engines.base import (
    OWN_FILES,
    Blank,
    BuildSpec,
    Container,
    Engine,
    Exit,
    Files,
    Held,
    Print,
    Remote,
    RunSpec,
)


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

    def cpu_seconds(self) -> float | None:
        """See Container."""
        return None

    def out_of_memory(self) -> bool:
        """See Container."""
        return False

    def remove(self) -> None:
        """See Container: the thread ends when the node closes its socket."""


class NullBlank(NullContainer, Blank):
    """The same, and any function's whose image the engine has."""

    def __init__(self, link: Path, has_image: Callable[[str], bool]) -> None:
        super().__init__(link)
        self._has_image = has_image

    def give(self, image: str, memory: int, cpus: float) -> Files | None:
        """See Blank."""
        return OWN_FILES if self._has_image(image) else None


class NullEngine(Engine):
    """See the module."""

    def __init__(self, runtimes: list[str]) -> None:
        self._runtimes = runtimes
        self._images: set[str] = set()
        self._runtime_images: set[str] = set()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "NullEngine":
        """See Engine."""
        return cls(list(runtime_names(conf)))

    def prepare(self, say: Print) -> dict[str, str]:
        """See Engine."""
        images = {runtime: f"null/{runtime}" for runtime in self._runtimes}
        self._runtime_images = set(images.values())
        self._images |= self._runtime_images
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

    def images(self) -> dict[str, Held]:
        """See Engine."""
        return {image: Held(0, ((image, 1),)) for image in self._images - self._runtime_images}

    def remove_image(self, image: str) -> bool:
        """See Engine."""
        self._images.discard(image)
        return True

    def push(self, image: str, remote: Remote) -> None:
        """See Engine."""

    def pull(self, image: str, base: str, remote: Remote) -> None:
        """See Engine."""
        raise EngineError("this engine has no registry")

    def install(self, spec: BuildSpec, say: Print) -> None:
        """See Engine."""
        if spec.image is not None:
            self._images.add(spec.image)

    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """See Engine."""
        self._images.add(image)

    def unpack(self, image: str) -> None:
        """See Engine."""

    def start(self, spec: RunSpec) -> Container:
        """See Engine."""
        if spec.image not in self._images:
            raise ImageMissingError(f"there is no image {spec.image}")
        return NullContainer(spec.link)

    def start_blank(self, spec: RunSpec) -> Blank | None:
        """See Engine."""
        return NullBlank(spec.link, self.has_image)


def _echo(link: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            _connect(connection, link)
            with connection.makefile("rb") as file:
                _answer(connection, file)
    except (OSError, ValueError):
        return  # the node went away; nobody is left to tell


def _answer(connection: socket.socket, file: BinaryIO) -> None:
    """Answer as many events as the isolation allows; raises ValueError where none comes."""
    load = json.loads(file.readline())
    file.read(load["size"])
    isolation = load["isolation"]
    while True:
        connection.sendall(b'{"op": "next", "size": 0}\n')
        payload = file.read(json.loads(file.readline())["size"])
        answer = {"op": "response", "size": len(payload)}
        connection.sendall(json.dumps(answer).encode() + b"\n" + payload)
        if isolation == "container":
            return


def _connect(connection: socket.socket, link: Path) -> None:
    """Reach the node; through /proc, because a socket's path may be no longer than 107 bytes."""
    descriptor = os.open(link, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/node.sock")
    finally:
        os.close(descriptor)
