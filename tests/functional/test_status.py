"""``GET /v1/status`` and ``GET /v1/cluster`` after a death: true soon, and never of the living."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.stack import BIN, Stack
from tests.waiting import until

DAEMONS = ("api", "agent", "scheduler", "collector", "driver")
_WATCHED_SECONDS = 7
"""How long a state is watched that nothing is to change: longer than an entry takes to age."""


class Separate(Stack):
    """The daemons without a launcher, so that nothing starts one again that dies."""

    def __init__(self, folder: Path, settings: dict[str, dict[str, Any]] | None = None) -> None:
        super().__init__(folder, settings)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> "Separate":
        subprocess.run([BIN / "pratai-db-init", *self.arguments], check=True)
        for name in DAEMONS:
            self.run_daemon(name)
        until(self.up, f"the daemons run (see {self.folder})")
        return self

    def run_daemon(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.stderr").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [BIN / f"pratai-{name.partition('@')[0]}", *self.arguments, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def up(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, (self.folder / f"{name}.stderr").read_text()
        try:
            return set(self.components().values()) == {"running"}
        except OSError:
            return False

    def components(self) -> dict[str, str]:
        found: dict[str, str] = self.get("/v1/status")["components"]
        return found

    def signal(self, name: str, number: int) -> None:
        """Signal a daemon and its children: gunicorn has a process that does the work."""
        os.killpg(self.processes[name].pid, number)

    def stop(self) -> None:
        for name, process in reversed(self.processes.items()):
            if process.poll() is None:
                self.signal(name, signal.SIGCONT)
                process.terminate()
        for process in self.processes.values():
            process.wait(180)


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Separate]:
    folder = tmp_path_factory.mktemp("separate")
    (folder / "store").mkdir()
    settings = {
        "driver": {"engine": "null"},
        "store": {"sqlite_path": folder / "store" / "store.sqlite"},
    }
    running = Separate(folder, settings)
    try:
        yield running.start()
    finally:
        running.stop()


def _watch(look: Callable[[], dict[str, str]], dead: str, until_dead: bool = True) -> None:
    """Look until one is shown as not running, and a while longer: all others are, all the time."""
    began, shown = time.monotonic(), None if until_dead else 0.0
    while shown is None or time.monotonic() - began < _WATCHED_SECONDS:
        seen = look()
        assert {name for name, state in seen.items() if state != "running"} <= {dead}, seen
        if shown is None and seen[dead] == "not running":
            shown = time.monotonic() - began
            print(f"{dead}: shown as not running after {shown:.2f} s")
        assert shown is not None or time.monotonic() - began < 60, seen
        time.sleep(0.05)
    assert until_dead is (look()[dead] == "not running")


@pytest.mark.parametrize("name", [each for each in DAEMONS if each != "api"])
def test_a_killed_daemon_is_not_running_and_all_others_are(separate: Separate, name: str) -> None:
    separate.signal(name, signal.SIGKILL)
    separate.processes[name].wait()
    try:
        _watch(separate.components, name)
    finally:
        separate.run_daemon(name)
    until(lambda: separate.components()[name] == "running", "it runs again")


def test_those_that_were_started_again_go_on_running(separate: Separate) -> None:
    """The last of them; each of the others was watched when the next was killed."""
    _watch(separate.components, DAEMONS[-1], until_dead=False)


@pytest.mark.parametrize("name", [each for each in DAEMONS if each != "api"])
def test_a_stopped_daemon_is_not_running(separate: Separate, name: str) -> None:
    separate.halt(separate.processes[name].pid)
    try:
        _watch(separate.components, name)
    finally:
        separate.signal(name, signal.SIGCONT)
    until(lambda: separate.components()[name] == "running", "it runs again")


def test_one_of_two_apis_is_killed(separate: Separate) -> None:
    second = separate.folder / "second.conf"
    second.write_text(f"[api]\nport = {free_port()}\n")

    def apis() -> dict[str, str]:
        daemons = separate.get("/v1/cluster")["daemons"]
        return {
            each["daemon_id"]: each["status"] for each in daemons if each["daemon_type"] == "api"
        }

    first = set(apis())
    separate.run_daemon("api@2", "--config-file", str(second))
    until(lambda: len(apis()) == len(first) + 1, "the second one is in the cluster")
    added = (set(apis()) - first).pop()
    separate.signal("api@2", signal.SIGKILL)
    separate.processes.pop("api@2").wait()
    _watch(apis, added)
    assert separate.components()["api"] == "running"


def test_a_store_that_takes_no_writes_makes_nobody_else_look_dead(separate: Separate) -> None:
    path = separate.folder / "store" / "store.sqlite"
    holder = subprocess.Popen(
        [BIN / "python", "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        _watch(separate.components, "store")
    finally:
        holder.communicate()
    until(lambda: separate.components()["store"] == "running", "it takes writes again")
    _watch(separate.components, "store", until_dead=False)


_HOLD = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as connection:
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_store_that_cannot_be_read_is_said_to_be_unavailable(separate: Separate) -> None:
    store, away = separate.folder / "store", separate.folder / "away"
    store.rename(away)
    try:
        until(lambda: separate.call("GET", "/v1/status").status_code != 200, "it is noticed")
        answer = separate.call("GET", "/v1/status")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        error = answer.json()["error"]
        assert error["reason"] == "store_unavailable"
        message = "the store does not answer; it is not known whether anything was recorded"
        assert error["message"] == message
        assert separate.call("GET", "/healthcheck").status_code == 200
    finally:
        away.rename(store)
    until(lambda: separate.call("GET", "/v1/status").ok, "it answers again")
    _watch(separate.components, "store", until_dead=False)
