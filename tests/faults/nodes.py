"""Nodes that have a launcher of their own, as each would on a machine of its own."""

import os
import signal
import subprocess
from pathlib import Path

from tests.namespace import Namespace
from tests.stack import BIN, Stack, daemons_of
from tests.waiting import until

_SCRIPT = "pratai-driver"


class Node:
    """One node of a stack, and what starts it again when it dies. ``bind`` is where it takes jobs,
    in the network namespace ``space`` if that is given; its containers are the Docker Engine's at
    ``engine``. The folder of its ``spool`` is there before it starts.
    """

    def __init__(
        self, stack: Stack, name: str, engine: str, bind: str, space: Namespace | None
    ) -> None:
        self.name = name
        self._folder = stack.folder / name
        self.log = self._folder / "log" / f"{_SCRIPT}.log"
        self.state = self._folder / "state" / "nodes" / name
        self.spool = self.state / "spool"
        self.spool.mkdir(parents=True)
        conf = self._folder / "node.conf"
        self._arguments = [*stack.arguments, "--config-file", str(conf)]
        self._environment = {**os.environ, "DOCKER_HOST": engine}
        self._space = space
        self._launcher: subprocess.Popen[bytes] | None = None
        lines = ["[DEFAULT]", f"state_path = {self._folder / 'state'}"]
        lines += [f"log_dir = {self.log.parent}", "[launcher]", f"programs = {_SCRIPT}"]
        lines += ["[driver]", f"name = {name}", f"bind = {bind}", ""]
        conf.write_text("\n".join(lines))

    def start(self) -> None:
        """Start it, or start it again after a ``kill``."""
        command: list[str | Path] = [BIN / "pratai-launcher", *self._arguments]
        if self._space is not None:
            command = self._space.command(*command)
        with (self._folder / "launcher.log").open("ab") as log:
            self._launcher = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self.pids, f"the node runs (see {self._folder})")

    def stop(self) -> None:
        """Let it leave."""
        if self._launcher is not None:
            self._launcher.send_signal(signal.SIGTERM)
            self._launcher.wait(180)
            self._launcher = None

    def kill(self) -> None:
        """End it and what would start it again, as a loss of power would; its containers stay."""
        assert self._launcher is not None
        pids = self.pids()
        self._launcher.kill()
        self._launcher.wait()
        self._launcher = None
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def signal(self, what: signal.Signals) -> None:
        """Send a signal to the node itself."""
        for pid in self.pids():
            os.kill(pid, what)

    def pids(self) -> list[int]:
        """Return the pid of the node, if it runs."""
        return [] if self._launcher is None else daemons_of(self._launcher.pid).get(_SCRIPT, [])

    def said(self, what: str) -> int:
        """Return how often its log says something."""
        return self.log.read_text().count(what) if self.log.exists() else 0
