"""nginx before three API processes of one stack, as tests use it."""

import itertools
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pratai_api.connections import listeners
from pratai_api.rolling import Nginx, Site
from tests.ports import free_port
from tests.services import Service
from tests.stack import BIN, Stack
from tests.waiting import until

NUMBERS = (1, 2, 3)
_SCRIPT = Path(__file__).parent.parent / "deploy" / "services" / "nginx.sh"


class Front(Stack):
    """A stack whose ``url`` is nginx's; ``apis`` are the ports of the processes behind it. Nodes
    reach nginx by ``address``, an address of this machine.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, dict[str, Any]] | None = None,
        address: str = "127.0.0.1",
        *,
        curve: bool = False,
    ) -> None:
        self.nginx = Service("nginx")
        self.site_path = self.nginx.folder / "pratai.conf"
        self.apis = [free_port() for _ in NUMBERS]
        self.api_metrics = [free_port() for _ in NUMBERS]
        self._turns = itertools.cycle(NUMBERS)
        others = ["pratai-collector", "pratai-scheduler", "pratai-driver", "pratai-agent"]
        programs = [*others[:3], *(f"pratai-api@{number}" for number in NUMBERS), others[3]]
        groups: dict[str, dict[str, Any]] = {
            "api": {"trust_proxy_ids": True},
            "archives": {"node_url": f"http://{address}:{self.nginx.port}"},
            "launcher": {"programs": ",".join(programs)},
            "nginx": {
                "listen": ",".join(
                    f"{each}:{self.nginx.port}" for each in sorted({"127.0.0.1", address})
                ),
                "apis": ",".join(f"127.0.0.1:{port}" for port in self.apis),
                "access_log": self.nginx.folder / "access.log",
                "site_path": self.site_path,
                "command": shlex.join(self._command()),
            },
        }
        for group, values in (settings or {}).items():
            groups.setdefault(group, {}).update(values)
        super().__init__(folder, groups, curve=curve)
        self.url = f"http://127.0.0.1:{self.nginx.port}"
        for number, port in zip(NUMBERS, self.apis, strict=True):
            text = f"[DEFAULT]\nlog_file = pratai-api@{number}.log\n[api]\nport = {port}\n"
            text += f"[metrics]\napi_port = {self.api_metrics[number - 1]}\n"
            (folder / f"pratai-api@{number}.conf").write_text(text)

    def start(self) -> "Front":
        self.write_site()
        self.nginx.start()
        super().start()
        return self

    def stop(self) -> None:
        # First, with its connections: an API process that ends waits two seconds for them.
        self.nginx.remove()
        super().stop()

    def write_site(self) -> None:
        """Write what nginx reads, without marks."""
        done = subprocess.run(
            [BIN / "pratai-nginx-conf", *self.arguments], check=True, capture_output=True
        )
        self.site_path.write_bytes(done.stdout)

    def reload(self) -> None:
        self._nginx().reload()

    def connected(self) -> list[int]:
        """Return the ports of the API processes that nginx is connected to."""
        return list(filter(self._nginx().connected, self.apis))

    @contextmanager
    def one_api_preferred(self) -> Iterator[int]:
        """Have nginx ask the others only where one API process fails; gives its number. Each time
        it is the next one, so that one that was killed may take its time to be there again.
        """
        number = next(self._turns)
        others = self.apis[: number - 1] + self.apis[number:]
        until(lambda: listeners(self.apis[number - 1]), f"API process {number} runs")
        until(lambda: any(listeners(port) for port in others), "another one runs")
        text = self.site_path.read_text()
        for port in others:
            text = text.replace(f"server 127.0.0.1:{port} ", f"server 127.0.0.1:{port} backup ")
        self.site_path.write_text(text)
        self.reload()
        try:
            yield number
        finally:
            self.write_site()
            self.reload()

    def marked(self) -> list[int]:
        """Return the ports of the API processes that are marked down."""
        return [int(address.rpartition(":")[2]) for address in Site(self.site_path).down()]

    def halt_api(self, number: int) -> None:
        """Have both processes of an API stand still."""
        self.halt(*listeners(self.apis[number - 1]))

    def signal_api(self, number: int, what: signal.Signals) -> None:
        """Send a signal to both processes of an API, gunicorn's and its worker."""
        for pid in listeners(self.apis[number - 1]):
            os.kill(pid, what)

    def roll(self) -> "subprocess.Popen[str]":
        """Start a rolling restart."""
        command = [BIN / "pratai-api-roll", *self.arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def log_lines(self) -> list[str]:
        """Return what nginx has written of its requests."""
        return (self.nginx.folder / "access.log").read_text().splitlines()

    def _nginx(self) -> Nginx:
        return Nginx(self._command(), self.nginx.port)

    def _command(self) -> list[str]:
        command = [_SCRIPT, "command", self.nginx.folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.split()


def unread_bytes(port: int) -> int:
    """Return how much was sent to a port and is not yet read by who listens there."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    pattern = re.compile(rf"\s*\d+: \S+:{port:04X} \S+ 0[18] \S+:(\S+) ")
    return sum(int(found[1], 16) for found in map(pattern.match, rows) if found)
