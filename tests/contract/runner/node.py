"""A node that says what a test tells it to, and a real container of a runtime at its other end."""

import json
import os
import select
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pratai_drivers.engines.base import Container, Engine, Exit, RunSpec
from pratai_drivers.link import Link
from tests.contract.containers import container_name
from tests.waiting import until

FUNCTIONS = Path(__file__).parent / "functions"
PATIENCE_SECONDS = 60


class Runtime(NamedTuple):
    """What differs between runtimes: the name of a function's file, whether each event can have a
    process of its own, and whether a process goes on after a function has asked for its end.
    """

    name: str
    module: str
    copies: bool
    survives_exit: bool


class Said(NamedTuple):
    """A message of a runner."""

    header: dict[str, Any]
    body: bytes

    @property
    def result(self) -> Any:
        """What ``main`` returned."""
        assert self.header["op"] == "response", self.header
        return json.loads(self.body)

    @property
    def failure(self) -> tuple[str, str]:
        """The reason and message of an error."""
        assert self.header["op"] in ("error", "init_error"), self.header
        return self.header["reason"], self.header["message"]


class Node:
    """See the module. The container of ``runtime`` sees a copy of one of the suite's functions."""

    def __init__(self, engine: Engine, runtime: Runtime, image: str, folder: Path) -> None:
        self._runtime = runtime
        self._link = Link(folder)
        self._files = self._link.folder / "files"
        self._files.mkdir()
        self._files.chmod(0o755)
        spec = RunSpec(
            name=container_name(self._link.folder),
            image=image,
            link=self._link.folder,
            memory=128,
            cpus=1.0,
            network="none",
        )
        self._container: Container = engine.start(spec)
        listener = self._link.listener
        assert select.select([listener], [], [], PATIENCE_SECONDS)[0], "no runner connects"
        self.connection = listener.accept()[0]
        self.connection.settimeout(PATIENCE_SECONDS)
        self._file = self.connection.makefile("rb")

    def close(self) -> None:
        self.hang_up()
        self._container.remove()
        shutil.rmtree(self._files)
        self._link.close()

    def hang_up(self) -> None:
        """Close the connection, as a node does that wants this container no more."""
        self._file.close()
        self.connection.close()

    def load(
        self,
        function: str,
        isolation: str,
        environment: Mapping[str, str] | None = None,
        secrets: Sequence[Mapping[str, Any]] = (),
    ) -> Said:
        """Have one of the suite's functions imported; returns what comes of it.

        ``function`` is its file's name, which may go without the suffix that most have.
        """
        self.send_load(function, isolation, environment, secrets)
        return self.hear()

    def send_load(
        self,
        function: str,
        isolation: str,
        environment: Mapping[str, str] | None = None,
        secrets: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        module = Path(self._runtime.module)
        suffix = Path(function).suffix or module.suffix
        source = FUNCTIONS / self._runtime.name / Path(function).with_suffix(suffix)
        file = self._files / module.with_suffix(suffix)
        shutil.copyfile(source, file)
        file.chmod(0o644)
        files = f"/run/pratai/{self._files.name}"
        header = {"op": "load", "isolation": isolation, "environment": dict(environment or {})}
        body = json.dumps({"secrets": list(secrets)}).encode() if secrets else b""
        where = {"function": files, "packages": "/opt/pratai/packages", "size": len(body)}
        self.send({**header, **where}, body)

    def event(self, payload: Any = None, timeout: float = 30.0, **context: Any) -> Said:
        """Have an event handled; returns the answer."""
        self.send_event(payload, timeout, **context)
        return self.hear()

    def send_event(self, payload: Any = None, timeout: float = 30.0, **context: Any) -> None:
        body = json.dumps(payload).encode()
        said = {"request_id": "r", "attempt": 1, **context}
        header = {"op": "event", "context": said, "timeout": timeout, "size": len(body)}
        self.send(header, body)

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        self.connection.sendall(json.dumps(header).encode() + b"\n" + body)

    def hear(self) -> Said:
        """Return the next thing that the runner says."""
        line = self._file.readline()
        assert line, f"the runner is gone: {self.ended()}; it printed {self.printed()!r}"
        header = json.loads(line)
        return Said(header, self._file.read(header["size"]))

    def ready(self, **more: str) -> None:
        """Require that the runner asks for its next event."""
        assert self.hear().header == {"op": "next", "size": 0, **more}

    def hangs_up(self) -> bool:
        """Say whether the runner closes its end and has nothing more to say."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def ended(self) -> Exit:
        """Return how the container ended, which it does soon."""
        return until(lambda: self._container.wait(1), "the container ends")

    def printed(self) -> str:
        """Return what was printed since this was last asked, and no later than it."""
        output = bytearray()
        while select.select([self._link.output], [], [], 0)[0]:
            output += os.read(self._link.output, 65_536)
        return output.decode()

    def prints(self, wanted: str) -> None:
        """Wait until something was printed."""
        seen = ""

        def look() -> bool:
            nonlocal seen
            seen += self.printed()
            return wanted in seen

        until(look, f"it prints {wanted!r}")


def socket_is_silent(connection: socket.socket) -> bool:
    """Say whether nothing has come on it so far."""
    return not select.select([connection], [], [], 0)[0]
