"""The real servers that the platform works with, as tests use them: see ``deploy/services``."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port
from tests.waiting import until

AWAY_SECONDS = float(os.environ.get("PRATAI_AWAY_SECONDS", "0"))
"""So long a server that was killed stays away before it is started again."""

_SCRIPTS = Path(__file__).parent.parent / "deploy" / "services"


class Service:
    """One server in a folder of its own, which a user without rights can reach: some servers
    refuse to run as root, and pytest's folders are private. ``environment`` is what its script is
    told at each start.
    """

    def __init__(self, name: str, *, port: int | None = None, **environment: str) -> None:
        self.name = name
        self._environment = environment
        self.folder = Path(tempfile.mkdtemp(prefix=f"pratai-{name}-"))
        self.folder.chmod(0o755)
        self.port = port or free_port()
        self.url = ""

    def start(self, **environment: str) -> "Service":
        """Start it, again after a ``stop`` with what was in it; ``url`` is its address then."""
        told = {**self._environment, **environment}
        self.url = self._run("start", str(self.folder), str(self.port), **told)
        return self

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens while the block runs."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def kill(self) -> None:
        """End its main process, and so all of it, as a loss of power would."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists(), f"the killed {self.name} is gone")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Connections are taken and nothing is answered while the block runs."""
        master = self.pid()
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        for each in (master, *map(int, children)):
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in (*map(int, children), master):
                os.kill(each, signal.SIGCONT)

    def stop(self) -> None:
        self._run("stop", str(self.folder))

    def remove(self) -> None:
        """Stop it and forget what was in it."""
        self.stop()
        shutil.rmtree(self.folder)

    def pid(self, name: str | None = None) -> int:
        """Return the pid of its main process, or of one of several by name."""
        return int((self.folder / f"{name or self.name}.pid").read_text().split()[0])

    def _run(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [_SCRIPTS / f"{self.name}.sh", *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        return done.stdout.strip()
