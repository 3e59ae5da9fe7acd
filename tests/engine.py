"""A Docker Engine of a test's own, which may be killed: the machine's own goes on meanwhile."""

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import docker

from pratai_api.connections import children
from pratai_common import conf as configuration
from pratai_drivers.engines.docker_client import INSTALLATION_LABEL, connect
from pratai_drivers.engines.docker_images import Images
from tests.namespace import Namespace, run
from tests.waiting import until

_MAKING_SECONDS = 600
_DISK = "size=4g,mode=755"
"""Its disk is in memory, which takes what is used of it: images are there in no time, and go so."""

_CONTAINERD = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'


class OwnEngine:
    """Its containers, bridges and packet filter are in a network namespace that leads nowhere.

    ``url`` is its address, as ``DOCKER_HOST`` has it. It has a containerd of its own, too.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pratai-engine-"))
        run("mount", "-t", "tmpfs", "-o", _DISK, "engine", str(self.folder))
        self.url = f"unix://{self.folder}/docker.sock"
        self._address = f"{self.folder}/containerd.sock"
        self._space = Namespace()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (self.folder / "containerd.toml").write_text(_CONTAINERD)

    def start(self) -> None:
        """Start it, again after a ``kill`` with what was in it; returns when it answers."""
        if "containerd" not in self._running:
            self._launch(
                "containerd",
                f"--config={self.folder}/containerd.toml",
                f"--address={self._address}",
                f"--root={self.folder}/containerd",
                f"--state={self.folder}/containerd-state",
            )
            until(Path(self._address).exists, f"containerd runs (see {self.folder})")
        (self.folder / "docker.pid").unlink(missing_ok=True)  # of one that was killed
        self._launch(
            "dockerd",
            f"--host={self.url}",
            f"--containerd={self._address}",
            f"--data-root={self.folder}/docker",
            f"--exec-root={self.folder}/docker-state",
            f"--pidfile={self.folder}/docker.pid",
            "--bridge=none",
        )
        until(self._answers, f"the engine answers (see {self.folder})")

    def kill(self) -> None:
        """End dockerd as a crash would: its containers go on."""
        self._end("dockerd", signal.SIGKILL)

    def remove(self) -> None:
        """Stop it and forget what was in it."""
        for name in reversed(list(self._running)):
            self._end(name, signal.SIGTERM)
        for pid in self.processes():  # of containers that dockerd did not live to stop
            _end_all(int(pid))
        for point in reversed(_mounts_below(self.folder)):
            run("umount", point)
        run("umount", str(self.folder))
        self.folder.rmdir()
        self._space.remove()

    def end_forgotten(self) -> None:
        """End what holds containers that the engine does not know: it was killed before it had
        noted what it made. They wait for a start that never comes, and Docker never ends them.
        """
        found = self.processes()  # before the containers: those of a new one would look forgotten
        known = self.containers()
        for pid in found:
            if not any(each in _command_line(pid) for each in known):
                _end_all(int(pid))

    def load(self, images: Iterable[str]) -> None:
        """Take over images that the machine's own engine has."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            command = ["docker", "--host", self.url, "load", "--quiet"]
            subprocess.run(command, check=True, stdin=saving.stdout, capture_output=True)
        assert saving.returncode == 0

    # What of Pratai is in it

    def containers(self, made_before: float = math.inf, **labels: str) -> list[str]:
        """Return the containers that carry labels, running or not."""
        found = self._ask("containers", labels, all=True)
        return [each["Id"] for each in found if each["Created"] <= made_before]

    def images(self) -> list[str]:
        return sorted(each["Id"] for each in self._ask("images", {}))

    def networks(self) -> list[str]:
        return sorted(each["Name"] for each in self._ask("networks", {}))

    def processes(self) -> list[str]:
        """Return the pids of what holds the containers of this engine, one for each."""
        return [each for each in _pids() if f"-address\0{self._address}\0" in _command_line(each)]

    def _ask(self, what: str, labels: dict[str, str], **arguments: Any) -> Any:
        names = {INSTALLATION_LABEL: None, **{f"pratai.{k}": v for k, v in labels.items()}}
        wanted = [name if value is None else f"{name}={value}" for name, value in names.items()]
        with closing(docker.APIClient(self.url, version="auto")) as client:
            return getattr(client, what)(filters={"label": wanted}, **arguments)

    def _answers(self) -> bool:
        ended = self._running["dockerd"].poll()
        assert ended is None, (self.folder / "dockerd.log").read_text()[-2000:]
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(self.url.removeprefix("unix://"))
            return True
        return False

    def _launch(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._space.command(name, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self._running.pop(name)
        process.send_signal(how)
        process.wait(120)


def needed_images(build_conf: Path) -> list[str]:
    """Return the images that a node needs, as the machine's own engine has them; it makes what is
    missing with the settings of this file.
    """
    # In a process of its own: to read a configuration sets up the logging of a whole process.
    command = [sys.executable, "-m", "tests.engine", "--config-file", str(build_conf)]
    return subprocess.check_output(command, text=True).split()


def main() -> None:
    """Print the images that a node needs."""
    conf = configuration.load("needed-images", sys.argv[1:])
    with closing(connect(_MAKING_SECONDS)) as client:
        labels = {INSTALLATION_LABEL: conf.installation}
        images = Images(client, conf, labels, lambda _output: None)
        print(images._seed(), *images.runtimes().values(), images.netrules())


def _end_all(pid: int) -> None:
    """Kill what holds a container, and what is in that."""
    for each in (*children({pid}), pid):
        os.kill(each, signal.SIGKILL)


def _mounts_below(folder: Path) -> list[str]:
    """Return what is mounted in a folder, oldest first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [each for each in points if each.startswith(f"{folder}/")]


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").glob("[0-9]*")]


def _command_line(pid: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


if __name__ == "__main__":
    main()
