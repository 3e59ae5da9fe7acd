"""The real ``pratai`` command against the real API."""

import json
import os
import re
import signal
import subprocess
import termios
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from tests.packages import ECHO, package
from tests.ports import free_port
from tests.stack import BIN, Stack
from tests.waiting import until

CEILING_SECONDS = 300
"""Against hangs: a command that takes longer is killed, and its test fails."""

TALKER = package(
    """
    import time

    def main(payload=None):
        print("begins", payload, flush=True)
        time.sleep(60)
    """
)
PICKY = package(
    """
    def main(payload=None):
        if payload is None:
            raise ValueError("no")
        return payload
    """
)
SAYING = package(
    """
    from pratai import Response

    def main(payload=None):
        body = bytes([255]) if payload["body"] is None else payload["body"]
        return Response(body, payload["status"], {"Location": "/v1/functions"})
    """
)
UNBUILDABLE = package("def main(p=None): 0\n", "no-such-package-as-this-one==99\n")


class Pratai:
    def __init__(self, url: str, **variables: str) -> None:
        self._environment = {**os.environ, "OS_PRATAI_URL": url, "no_proxy": "*", **variables}

    def __call__(self, *arguments: str, stdout: Any = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "pratai", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=CEILING_SECONDS,
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "-f", "json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def value(self, *arguments: str) -> list[str]:
        done = self(*arguments, "-f", "value")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    @contextmanager
    def started(
        self, *arguments: str, stdin: int | None = None, stderr: int = subprocess.PIPE
    ) -> Iterator["Running"]:
        """A command that runs meanwhile. What it reads and says may be a terminal's descriptor,
        which is then the only one that it has.
        """
        process = subprocess.Popen(
            [BIN / "pratai", *arguments],
            env=self._environment,
            stdin=stdin,
            start_new_session=stdin is not None,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        ceiling = threading.Timer(CEILING_SECONDS, process.kill)
        ceiling.start()
        with process:
            try:
                yield Running(process)
            finally:
                ceiling.cancel()
                process.kill()


class Running:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def stdout(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[str]:
        assert self._process.stderr is not None
        return self._process.stderr

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        return self._process.wait()


class Terminal:
    """A terminal of 80 columns; ``shown`` is every byte that was written to it."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        termios.tcsetwinsize(self._ours, (24, 80))
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read until a pattern is shown; fails when the command ends without."""
        while not (found := re.search(pattern, self.shown)):
            assert self._read(), f"no {pattern} in {self.shown!r}"
        return found

    def read_all(self) -> str:
        """Return what is shown once the command has ended."""
        while self._read():
            pass
        return self.shown

    def lines(self) -> list[str]:
        """Return each state that the line was in."""
        return [re.sub(r"\s+$", "", each) for each in self.shown.split("\r")]

    def _read(self) -> bool:
        try:
            piece = os.read(self._ours, 4096)
        except OSError:  # nobody has the other side open any more
            return False
        self.shown += piece.decode()
        return bool(piece)

    def close_theirs(self) -> None:
        os.close(self.theirs)

    def close(self) -> None:
        os.close(self._ours)


@contextmanager
def on_terminal(pratai: Pratai, *arguments: str) -> Iterator[tuple[Running, Terminal]]:
    terminal = Terminal()
    try:
        theirs = terminal.theirs
        with pratai.started(*arguments, stdin=theirs, stderr=theirs) as command:
            terminal.close_theirs()
            yield command, terminal
    finally:
        terminal.close()


@pytest.fixture(scope="module")
def pratai(stack: Stack) -> Pratai:
    return Pratai(stack.url)


@pytest.fixture
def archives(tmp_path: Path) -> dict[str, str]:
    """The paths of zips, by name."""
    contents = {"echo": ECHO, "picky": PICKY, "talker": TALKER, "unbuildable": UNBUILDABLE}
    for name, content in contents.items():
        (tmp_path / f"{name}.zip").write_bytes(content)
    return {name: str(tmp_path / f"{name}.zip") for name in contents}


def slow_to_build() -> bytes:
    """A function with a dependency that takes seconds to build, and that no node has yet."""
    backend = """
import time, zipfile

def build_wheel(directory, settings=None, metadata=None):
    time.sleep(3)
    name, info = "slow-1-py3-none-any.whl", "slow-1.dist-info"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n")
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    return package(
        "def main(payload=None):\n    return payload\n",
        f"# {uuid.uuid4()}\n./slow\n",
        **{"slow/backend.py": backend, "slow/pyproject.toml": project},
    )


# Functions


def test_a_function_from_upload_to_deletion(
    pratai: Pratai, archives: dict[str, str], tmp_path: Path
) -> None:
    created = pratai.json(
        "function-create", "by-client", "--zip", archives["echo"], "--memory", "96", "--wait"
    )
    assert (created["status"], created["memory"], created["name"]) == ("active", 96, "by-client")
    identity = created["function_id"]
    assert pratai.json("function-show", "by-client") == pratai.json("function-show", identity)
    assert identity in pratai.value("function-list", "--only-id")
    for follow in ([], ["--follow"]):
        log = pratai("function-build-log", identity, *follow).stdout
        assert "no requirements" in log or "same content, same image" in log
    ran = pratai.json("function-execute", "by-client", "--payload", '{"a": "ü"}', "--wait")
    assert ran["result"] == {"a": "ü"}
    payload = tmp_path / "payload.json"
    payload.write_text("[1, 2]")
    sent = pratai.json("function-execute", identity, "--file", str(payload))
    listed = pratai.json("request-list", "--filter", identity)
    assert {each["request_id"] for each in listed} == {ran["request_id"], sent["request_id"]}
    shown = pratai.json("request-show", ran["request_id"], "--include-payload")
    assert (shown["status"], shown["payload"]) == ("success", {"a": "ü"})
    timing = pratai.json("request-show", ran["request_id"], "--timing")
    stations = ["accepted", "dispatched", "taken", "started", "ended", "settled"]
    assert (list(timing), timing["accepted"]) == (stations, 0)
    assert list(timing.values()) == sorted(timing.values())
    assert "timing" not in shown
    assert pratai("function-delete", "by-client").returncode == 0
    assert pratai("function-show", identity).returncode == 3


def test_every_setting_is_taken_and_changed(pratai: Pratai, archives: dict[str, str]) -> None:
    given = ["--description", "d", "--type", "wait_for_response", "--event", "webhook",
             "--memory", "96", "--cpus", "0.5", "--timeout", "30", "--network", "none",
             "--limit", "2", "--public", "true", "--env", "A=1", "--env", "B==",
             "--retries", "3", "--enabled", "false", "--runtime", "python3"]  # fmt: skip
    made = pratai.json("function-create", "settings", "--zip", archives["echo"], *given)
    endpoint = made["endpoint"]
    assert endpoint.startswith("/v1/hooks/")
    expected = {
        "description": "d", "type": "wait_for_response", "event": "webhook", "memory": 96,
        "cpus": 0.5, "timeout": 30, "network": "none", "limit": 2, "public": True,
        "environment": {"A": "1", "B": "="}, "retries": 3, "enabled": False, "runtime": "python3",
    }  # fmt: skip
    assert {name: made[name] for name in expected} == expected

    pratai.json("function-update", "settings", "--rotate-endpoint")
    rotated = pratai.value("function-show", "settings", "-c", "endpoint")[0]
    assert rotated.startswith("/v1/hooks/")
    assert rotated != endpoint
    changes = ["--name", "changed", "--description", "", "--type", "async", "--memory", "128",
               "--cpus", "1", "--timeout", "60", "--network", "bridge", "--limit", "none",
               "--public", "false", "--no-env", "--env", "C=3", "--retries", "0",
               "--enabled", "true"]  # fmt: skip
    changed = pratai.json("function-update", "settings", *changes)
    expected |= {
        "name": "changed", "description": "", "type": "async", "memory": 128, "cpus": 1.0,
        "timeout": 60, "network": "bridge", "limit": None, "public": False, "endpoint": None,
        "environment": {"C": "3"}, "retries": 0, "enabled": True,
    }  # fmt: skip
    assert {name: changed[name] for name in expected} == expected
    assert pratai.json("function-update", "changed", "--no-env")["environment"] == {}


def test_a_timer_needs_nothing_but_its_frequency(pratai: Pratai, archives: dict[str, str]) -> None:
    made = pratai.json("function-create", "tick", "--zip", archives["echo"], "--frequency", "60")
    assert made["event"] == "timer"
    timer = pratai.json("subscription-list", "tick")[0]
    assert (timer["kind"], timer["frequency"]) == ("timer", 60)


def test_versions_are_uploaded_listed_and_rolled_back(
    pratai: Pratai, archives: dict[str, str]
) -> None:
    pratai.json("function-create", "versions", "--zip", archives["echo"], "--wait")
    made = pratai.json(
        "function-update", "versions", "--zip", archives["picky"], "--memory", "96", "--wait"
    )
    assert (made["version"], made["status"]) == (2, "active")
    failed = pratai("function-update", "versions", "--zip", archives["unbuildable"], "--wait")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "No matching distribution found" in failed.stderr
    columns = ("-c", "version", "-c", "status")
    listed = pratai.value("version-list", "versions", *columns)
    assert listed == ["1 active", "2 active", "3 error"]
    shown = pratai.json("function-show", "versions")
    assert (shown["version"], shown["status"], shown["memory"]) == (2, "active", 96)
    assert shown["build_error"] in failed.stderr
    assert pratai.json("function-update", "versions", "--version", "1")["version"] == 1
    refused = pratai("function-update", "versions", "--version", "3")
    assert (refused.returncode, "version 3 is error" in refused.stderr) == (4, True)


def test_a_build_that_fails_shows_the_end_of_its_log(
    pratai: Pratai, archives: dict[str, str]
) -> None:
    done = pratai("function-create", "unbuildable", "--zip", archives["unbuildable"], "--wait")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No matching distribution found" in done.stderr
    assert "the build failed: installing the requirements failed" in done.stderr.splitlines()[-1]


def test_a_build_is_followed_while_it_goes_on(stack: Stack, pratai: Pratai, tmp_path: Path) -> None:
    archive = tmp_path / "slow.zip"
    archive.write_bytes(slow_to_build())
    create = ("function-create", "slow", "--zip", str(archive), "--follow", "-f", "json")
    with pratai.started(*create) as command:
        seen = next(line for line in command.stderr if "Processing" in line)
        assert seen.startswith("Processing ./slow")
        (building,) = stack.get("/v1/functions?name=slow")["functions"]
        assert building["status"] == "building"
        assert "Successfully installed slow-1" in command.stderr.read()
        assert json.load(command.stdout)["status"] == "active"
        assert command.ended() == 0


def test_a_wait_shows_a_bar_on_a_terminal_and_leaves_nothing_of_it(
    pratai: Pratai, tmp_path: Path
) -> None:
    archive = tmp_path / "slow.zip"
    archive.write_bytes(slow_to_build())
    create = ("function-create", "bar", "--zip", str(archive), "--wait", "-f", "json")
    with on_terminal(pratai, *create) as (command, terminal):
        shown = terminal.read_until(r"\[ *#### *\] \d+ s  (\w.*?) *\r").group(1)
        terminal.read_all()
        assert json.load(command.stdout)["status"] == "active"
        assert command.ended() == 0
    assert shown in pratai("function-build-log", "bar").stdout
    lines = terminal.lines()
    assert len({line.split("]")[0] for line in lines if line}) > 1, "the block stands still"
    assert max(len(line) for line in terminal.shown.split("\r")) == 79
    assert lines[-2:] == ["", ""]


# Requests


def test_a_failure_its_logs_and_its_repetition(pratai: Pratai, archives: dict[str, str]) -> None:
    pratai.json("function-create", "fails", "--file", archives["picky"], "--wait")
    done = pratai("function-execute", "fails", "--wait")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ended badly: exception: ValueError: no" in done.stderr
    fine = pratai.json("function-execute", "fails", "--payload", "1", "--wait")
    (failed,) = pratai.json("request-list", "--filter", "fails", "--filter", "dead")
    assert f"request {failed['request_id']} ended" in done.stderr
    assert failed["request_id"] in str(pratai.json("request-list", "--filter", "error"))
    for logs in ("function-logs", "fails"), ("request-logs", fine["request_id"]):
        assert pratai(*logs).stdout == ""
    for follow in ([], ["--follow"]):
        log = pratai("request-logs", failed["request_id"], *follow).stdout
        assert log.startswith("Traceback (most recent call last):\n")

    replayed = pratai("request-replay", failed["request_id"], "--wait")
    assert (replayed.returncode, "ValueError: no" in replayed.stderr) == (1, True)
    (replayed,) = pratai.json("request-replay", fine["request_id"], "--wait")
    assert (replayed["replay_of"], replayed["result"]) == (fine["request_id"], 1)
    shown = pratai.json("request-show", replayed["request_id"])
    assert shown["replay_of"] == fine["request_id"]


def test_a_pipeline_is_drawn_as_a_tree(
    stack: Stack, pratai: Pratai, archives: dict[str, str]
) -> None:
    stack.function(ECHO, name="extract")
    create = ("function-create", "--zip", archives["echo"], "--event", "response")
    pratai.json(*create, "transform", "--subscribe_to", "extract:success")
    pratai.json(*create, "load", "--subscribe_to", "transform")
    ran = pratai.json("function-execute", "extract", "--payload", "1")["request_id"]

    def whole() -> list[str]:
        """Return the ids of what follows, oldest first, once all of it has ended."""
        listed = stack.get(f"/v1/requests?root_id={ran}&sort=created_at:asc")["requests"]
        ended = [each["request_id"] for each in listed if each["status"] == "success"]
        return ended if len(ended) == 2 else []

    ids = [ran, *until(whole, "the pipeline has ended")]
    shown = pratai("request-show", ids[1], "--tree")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [re.sub(r" +[0-9.]+ ms", "", line) for line in shown.stdout.splitlines()] == [
        f"extract        success  {ids[0]}",
        f"└── transform  success  {ids[1]}  <--",
        f"    └── load   success  {ids[2]}",
    ]
    plain = Pratai(stack.url, PYTHONIOENCODING="ascii")("request-show", ran, "--tree").stdout
    assert plain.splitlines()[2].startswith("    `-- load   success ")
    root = pratai.value("request-list", "--root", ran, "-c", "request_id")
    assert sorted(root) == sorted(ids[1:])


def test_a_function_that_answers_its_caller(pratai: Pratai, archives: dict[str, str]) -> None:
    pratai.json("function-create", "answers", "--zip", archives["picky"],
                "--type", "wait_for_response", "--wait")  # fmt: skip
    ran = pratai.json("function-execute", "answers", "--payload", '{"a": [1.5, "ü"]}')
    assert ran["result"] == {"a": [1.5, "ü"]}
    failed = pratai("function-execute", "answers")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "ended badly: exception: ValueError: no" in failed.stderr
    listed = until(
        lambda: len(rows := pratai.json("request-list", "--filter", "answers")) == 2 and rows,
        "the calls are recorded",
    )
    assert ran["request_id"] in {each["request_id"] for each in listed}


def test_what_a_function_says_by_http_is_its_result(stack: Stack, pratai: Pratai) -> None:
    function, called = stack.function(SAYING, type="wait_for_response"), set[str]()
    for status, body, result in (
        (202, "later", "later"),
        (302, {"moved": True}, {"moved": True}),
        (401, "5", "5"),
        (404, None, "/w=="),
    ):
        payload = json.dumps({"status": status, "body": body})
        said = pratai.json("function-execute", function, "--payload", payload)
        assert said["result"] == result
        called.add(said["request_id"])

    def recorded() -> set[str]:
        listed = stack.get(f"/v1/requests?function_id={function}")["requests"]
        return {each["request_id"] for each in listed}

    until(lambda: called <= recorded(), "the calls are recorded")
    assert recorded() == called, "each was called once"


def test_a_log_is_printed_while_the_request_runs(stack: Stack, pratai: Pratai) -> None:
    request_id = stack.submit(stack.function(TALKER), 1)
    with pratai.started("request-logs", request_id, "--follow") as command:
        assert command.stdout.readline() == "begins 1\n"
        assert stack.get(f"/v1/requests/{request_id}")["status"] == "running"
        assert pratai("request-replay", request_id).returncode == 4
        assert pratai("request-cancel", request_id).returncode == 0
        assert command.stdout.read() == ""
        assert command.ended() == 0
    assert stack.ended(request_id)["status"] == "cancelled"
    again = pratai("request-cancel", request_id)
    assert (again.returncode, "has ended already: cancelled" in again.stderr) == (4, True)


def test_the_logs_of_a_function_are_followed_until_interrupted(
    stack: Stack, pratai: Pratai
) -> None:
    function = stack.function(TALKER)
    first = stack.submit(function, "é")
    with pratai.started("function-logs", function, "--follow") as command:
        assert command.stdout.readline() == f"==> {first} <==\n"
        assert command.stdout.readline() == "begins é\n"
        second = stack.submit(function, 2)
        assert command.stdout.readline() == f"==> {second} <==\n"
        assert command.stdout.readline() == "begins 2\n"
        command.interrupt()
        assert command.ended() == 130
        assert (command.stdout.read(), command.stderr.read()) == ("", "")
    (running,) = [
        each for each in pratai.json("function-running") if each["function_id"] == function
    ]
    assert (running["running"], set(running["request_ids"])) == (2, {first, second})
    assert set(pratai.value("function-stop", function)) == {first, second}
    assert [stack.ended(each)["status"] for each in (first, second)] == ["cancelled"] * 2
    assert pratai("function-logs", function).stdout == "begins 2\n"


def test_an_interrupted_wait_says_what_goes_on(stack: Stack, pratai: Pratai) -> None:
    function = stack.function(TALKER)
    with on_terminal(pratai, "function-execute", function, "--wait") as (command, terminal):
        request_id = terminal.read_until(r"running ([0-9a-f-]{36})").group(1)
        command.interrupt()
        assert terminal.read_all().endswith(f"\rrequest {request_id} goes on\r\n")
        assert (command.stdout.read(), command.ended()) == ("", 130)
    assert stack.get(f"/v1/requests/{request_id}")["status"] == "running"
    assert pratai("request-cancel", request_id).returncode == 0


def test_a_long_list_is_read_page_by_page(stack: Stack, pratai: Pratai) -> None:
    function = stack.function(ECHO, limit=1)
    sent = {stack.submit(function) for _ in range(230)}
    listing = ("request-list", "--filter", function, "-c", "request_id")
    listed = pratai.value(*listing)
    assert (len(listed), set(listed)) == (230, sent)
    assert pratai.value(*listing, "--limit", "150") == listed[:150]

    assert pratai("function-delete", function).returncode == 0
    assert pratai.value(*listing) == listed, "what was deleted is found by its id"
    of_status = ("request-list", "--filter", "cancelled", "-c", "request_id")
    until(lambda: sent & set(pratai.value(*of_status)), "what waited is cancelled")

    def pages(*arguments: str, stdout: int) -> tuple[int, int]:
        """Return the exit code, and how many pages were asked for."""
        listing = ("request-list", "--filter", function, "-f", "value", *arguments)
        done = pratai("-v", *listing, stdout=stdout)
        assert "Exception ignored" not in done.stderr
        return done.returncode, len(re.findall(r"REQ: curl .*/v1/requests\?", done.stderr))

    assert pages(stdout=subprocess.DEVNULL) == (0, 3)
    assert pages("--limit", "2", stdout=subprocess.DEVNULL) == (0, 1)
    reading, writing = os.pipe()
    os.close(reading)
    try:  # what nobody reads is not asked for; a few rows are written at the end alone
        assert pages(stdout=writing) == (141, 1)
        assert pages("--limit", "2", stdout=writing) == (141, 1)
    finally:
        os.close(writing)


# Events


def test_what_is_published_runs_who_subscribes(
    stack: Stack, pratai: Pratai, archives: dict[str, str]
) -> None:
    pratai.json("event-create", "sold")
    listens = ("function-create", "listens", "--zip", archives["echo"], "--subscribe_to", "sold")
    pratai.json(*listens, "--filter", '{"shop": [7]}')
    publish = ("event-publish", "sold", "--payload")
    (caused,) = pratai.json(*publish, '{"shop": 7}')
    assert pratai.json(*publish, '{"shop": 8}') == []
    assert stack.ended(caused["request_id"])["result"] == {"shop": 7}
    assert pratai("event-delete", "sold").returncode == 0
    assert pratai.value("subscription-list", "listens") == []


def test_a_secret_is_asked_for_on_a_terminal(stack: Stack, pratai: Pratai) -> None:
    function = stack.function(ECHO, public=True)
    update = ("function-update", function, "--auth", "token", "--auth-secret", "-f", "json")
    with on_terminal(pratai, *update) as (command, terminal):
        terminal.read_until("Auth secret: ")
        terminal.type("correct horse\n")
        endpoint = json.load(command.stdout)["endpoint"]
        assert command.ended() == 0
        assert "horse" not in terminal.read_all()
    for token, status in ("correct horse", 202), ("correct cow", 401):
        headers = {"X-Pratai-Token": token}
        assert stack.call("POST", endpoint, headers=headers).status_code == status


# The rest


def test_subscriptions(stack: Stack, pratai: Pratai) -> None:
    function = stack.function(ECHO)
    made = pratai.json(
        "subscription-create", function, "--kind", "timer", "--frequency", "60",
        "--enabled", "false",
    )  # fmt: skip
    assert (made["kind"], made["frequency"], made["enabled"]) == ("timer", 60, False)
    identity = made["subscription_id"]
    changed = pratai.json("subscription-update", function, identity, "--frequency", "30")
    assert changed == {**made, "frequency": 30, "updated_at": changed["updated_at"]}
    rows = pratai.value("subscription-list", function, "-c", "kind", "-c", "frequency")
    assert rows == ["webhook None", "timer 30.0"]
    assert pratai("subscription-create", function, "--kind", "timer").returncode == 4
    assert pratai("subscription-delete", function, identity).returncode == 0
    assert pratai("subscription-delete", function, identity).returncode == 3


def test_exit_codes(pratai: Pratai, archives: dict[str, str], tmp_path: Path) -> None:
    refused = pratai("function-create", "1st", "--zip", archives["echo"])
    assert (refused.returncode, "HTTP 400" in refused.stderr) == (4, True)
    assert pratai("function-create", "a", "--zip", str(tmp_path / "none")).returncode == 4
    for missing in (
        ("function-execute", "nobody", "--payload", "1"),
        ("function-show", "running"),
        ("function-show", "a/b"),
        ("request-show", "nobody"),
        ("request-list", "--filter", "nobody"),
        ("request-logs", "nobody", "--follow"),
        ("runtime-show", "nobody"),
    ):
        assert pratai(*missing).returncode == 3, missing
    away = Pratai(f"http://127.0.0.1:{free_port()}")("function-list")
    assert (away.returncode, "nothing answers at http://127.0.0.1:" in away.stderr) == (5, True)
    assert "no cloud is named" in Pratai("")("function-list").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("function-update", "f", "--public", "maybe"), "'maybe' is neither true nor false"),
        (("function-update", "f", "--limit", "0"), "'0' is no number from 1 on"),
        (("function-update", "f", "--env", "A"), "'A' is not NAME=VALUE"),
        (("function-update", "f", "--type", "sync"), "invalid choice: 'sync'"),
        (("request-list", "--limit", "-1"), "'-1' is no number from 1 on"),
        (("function-create", "f"), "the following arguments are required: --zip/--file"),
    ],
)
def test_a_wrong_command_line(pratai: Pratai, arguments: tuple[str, ...], message: str) -> None:
    done = pratai(*arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_a_payload_that_is_no_json_is_not_sent(pratai: Pratai, echo: str, tmp_path: Path) -> None:
    latin = tmp_path / "latin.json"
    latin.write_bytes('"ü"'.encode("latin-1"))
    for payload in ("--payload", "{"), ("--file", str(latin)):
        done = pratai("function-execute", echo, *payload)
        assert (done.returncode, "the payload is no JSON" in done.stderr) == (4, True)


def test_what_runs(pratai: Pratai) -> None:
    daemons = pratai.json("cluster-status")
    assert {each["daemon_type"] for each in daemons if each["status"] == "running"} == {
        "api",
        "agent",
        "scheduler",
        "collector",
        "driver",
    }
    listed = pratai.json("runtime-list")
    assert [each["name"] for each in listed] == ["python3"]
    assert pratai.json("runtime-show", "python3") == listed[0]


def test_a_stream_that_breaks_is_a_failure_of_the_service(stack: Stack, pratai: Pratai) -> None:
    request_id = stack.submit(stack.function(TALKER), 1)
    with pratai.started("request-logs", request_id, "--follow") as command:
        assert command.stdout.readline() == "begins 1\n"
        (server,) = stack.pids()["pratai-api"]
        (worker,) = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        assert command.ended() == 5
        assert command.stderr.read().startswith("the connection broke: ")
    until(stack._up, "the next worker answers")
    assert pratai("request-cancel", request_id).returncode == 0
