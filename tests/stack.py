"""The embedded stack as tests use it: real processes, free ports, a state folder of its own."""

import fcntl
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port
from tests.waiting import until

BIN = Path(sys.executable).parent
FINAL = {"success", "error", "timeout", "cancelled"}
DAEMONS = ("api", "agent", "scheduler", "collector", "driver")
_names = itertools.count()


@functools.cache
def build_settings() -> str:
    """Return the [build] section that uses this machine's own pip settings."""
    script = Path(__file__).parent.parent / "deploy" / "build-settings.sh"
    return subprocess.run([script], check=True, capture_output=True, text=True).stdout


def daemons_of(launcher: int) -> dict[str, list[int]]:
    """Return the pids of a launcher's own children, by console script."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children")
    found: dict[str, list[int]] = {}
    for pid in children.read_text().split():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):  # it ended since
            continue
        script = next((Path(word).name for word in words if "/pratai-" in word), words[0])
        found.setdefault(script, []).append(int(pid))
    return found


def _stands_still(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Stack:
    """One launcher and its daemons. ``settings`` are option values by group and name.

    With ``curve`` each daemon has a key, in ``keys``; else sockets are plain.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, dict[str, Any]] | None = None,
        *,
        curve: bool = False,
    ) -> None:
        self.folder = folder
        self.curve = curve
        self.keys = folder / "keys.d"
        self.ports = {name: free_port() for name in ("api", "scheduler", "collector", "driver")}
        self.metrics = {name: free_port() for name in DAEMONS}
        self.url = f"http://127.0.0.1:{self.ports['api']}"
        self.node = f"test-{uuid.uuid4().hex[:8]}"
        self.conf = folder / "pratai.conf"
        self.launcher: subprocess.Popen[bytes] | None = None
        self.session = requests.Session()
        self.session.trust_env = False
        self.build_conf = folder / "build.conf"
        self.build_conf.write_text(build_settings())
        own_store = folder / "state" / "store.sqlite"
        self.store_path = (settings or {}).get("store", {}).get("sqlite_path", own_store)
        self._write_conf(settings or {})

    def _write_conf(self, settings: dict[str, dict[str, Any]]) -> None:
        groups: dict[str, dict[str, Any]] = {
            "DEFAULT": {"state_path": self.folder / "state", "log_dir": self.folder / "log"},
            "api": {"port": self.ports["api"]},
            "sockets": {
                "scheduler": f"tcp://127.0.0.1:{self.ports['scheduler']}",
                "collector": f"tcp://127.0.0.1:{self.ports['collector']}",
                "security": "curve" if self.curve else "plain",
                "keys_path": self.keys,
            },
            "driver": {
                "name": self.node,
                "bind": f"tcp://127.0.0.1:{self.ports['driver']}",
            },
            "agent": {"deny_networks": ""},
            "metrics": {f"{name}_port": port for name, port in self.metrics.items()},
        }
        for group, values in settings.items():
            groups.setdefault(group, {}).update(values)
        lines = []
        for group, values in groups.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
        self.conf.write_text("\n".join([*lines, ""]))

    @property
    def arguments(self) -> list[str]:
        return ["--config-file", str(self.build_conf), "--config-file", str(self.conf)]

    # Its life

    def start(self) -> "Stack":
        subprocess.run([BIN / "pratai-db-init", *self.arguments], check=True)
        if self.curve:
            self.make_keys("init")
            self.make_keys("node", self.node)
        with (self.folder / "launcher.log").open("wb") as log:
            self.launcher = subprocess.Popen(
                [BIN / "pratai-launcher", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._up, f"the stack runs (see {self.folder})")
        except BaseException:
            Stack.stop(self)  # and nothing that heirs have started besides
            raise
        return self

    def _up(self) -> bool:
        assert self.launcher is not None
        assert self.launcher.poll() is None, (self.folder / "launcher.log").read_text()
        try:
            # A session of its own: errors hold on to the connections of theirs, beyond its end.
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(f"{self.url}/v1/status", timeout=5)
        except (requests.ConnectionError, requests.Timeout):
            return False
        return answer.ok and set(answer.json()["components"].values()) == {"running"}

    def make_keys(self, *words: str) -> None:
        command = [sys.executable, "-m", "pratai_common.keys", *self.arguments, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.launcher is not None:
            # An API process that ends waits two seconds for connections that are kept alive.
            self.session.close()
            self.launcher.send_signal(signal.SIGTERM)
            self.launcher.wait(180)
            self.launcher = None

    def halt(self, *pids: int) -> None:
        """SIGSTOP to processes, not while it is one's turn to write: then nobody else could."""
        with self.store_path.with_name(f"{self.store_path.name}-turns").open("ab") as turns:
            fcntl.flock(turns, fcntl.LOCK_EX)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            until(lambda: all(map(_stands_still, pids)), "they stand still")

    def pids(self) -> dict[str, list[int]]:
        """Return the pids of the launcher's own children, by console script."""
        assert self.launcher is not None
        return daemons_of(self.launcher.pid)

    # Its interface

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return self.session.request(method, f"{self.url}{path}", timeout=60, **arguments)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def upload(self, content: bytes, **metadata: Any) -> requests.Response:
        metadata.setdefault("name", f"function-{next(_names)}-{uuid.uuid4().hex[:8]}")
        form = {"zip_file": ("f.zip", content), "metadata": (None, json.dumps(metadata))}
        return self.call("POST", "/v1/functions", files=form)

    def built(self, function_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            function: dict[str, Any] = self.get(f"/v1/functions/{function_id}")
            return function if function["status"] != "building" else None

        return until(look, "the function is built", 300) or {}

    def function(self, content: bytes, **metadata: Any) -> str:
        """Return the id of a new function that is active."""
        answer = self.upload(content, **metadata)
        assert answer.status_code == 201, answer.text
        function = self.built(answer.json()["function_id"])
        assert function["status"] == "active", function["build_error"]
        return str(function["function_id"])

    def submit(self, function_id: str, payload: Any = None, **headers: str) -> str:
        answer = self.call(
            "POST", f"/v1/functions/{function_id}", json={"payload": payload}, headers=headers
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["request_id"])

    def ended(self, request_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            request: dict[str, Any] = self.get(f"/v1/requests/{request_id}?include=payload")
            return request if request["status"] in FINAL else None

        return until(look, f"request {request_id} ends") or {}

    def run(self, function_id: str, payload: Any = None) -> dict[str, Any]:
        return self.ended(self.submit(function_id, payload))

    def logs(self, request_id: str) -> str:
        return self.call("GET", f"/v1/requests/{request_id}/logs").text
