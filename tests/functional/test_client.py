"""The real ``pratai`` command against the real API."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.packages import ECHO, package
from tests.stack import BIN, Stack, free_port


class Pratai:
    def __init__(self, url: str) -> None:
        self._environment = {**os.environ, "OS_PRATAI_URL": url, "no_proxy": "*"}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "pratai", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "-f", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def pratai(stack: Stack) -> Pratai:
    return Pratai(stack.url)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("client") / "echo.zip"
    path.write_bytes(ECHO)
    return str(path)


def test_a_function_from_upload_to_deletion(pratai: Pratai, archive: str, tmp_path: Path) -> None:
    created = pratai.json(
        "function-create", "by-client", "--zip", archive, "--memory", "96", "--wait"
    )
    assert (created["status"], created["memory"], created["name"]) == ("active", 96, "by-client")
    identity = created["function_id"]
    assert pratai.json("function-show", "by-client") == pratai.json("function-show", identity)
    assert identity in pratai("function-list", "--only-id", "-f", "value").stdout.split()
    assert "no requirements" in pratai("function-build-log", identity).stdout
    ran = pratai.json("function-execute", "by-client", "--payload", '{"a": "ü"}', "--wait")
    assert ran["result"] == {"a": "ü"}
    payload = tmp_path / "payload.json"
    payload.write_text("[1, 2]")
    sent = pratai.json("function-execute", identity, "--file", str(payload))
    listed = pratai.json("request-list", "--filter", identity)
    assert {each["request_id"] for each in listed} == {ran["request_id"], sent["request_id"]}
    shown = pratai.json("request-show", ran["request_id"], "--include-payload")
    assert (shown["status"], shown["payload"]) == ("success", {"a": "ü"})
    assert pratai("function-delete", "by-client").returncode == 0
    assert pratai("function-show", identity).returncode == 3


def test_logs_and_a_failure(pratai: Pratai, tmp_path: Path) -> None:
    module = "def main(p=None):\n    print('said')\n    raise ValueError('no')\n"
    path = tmp_path / "bad.zip"
    path.write_bytes(package(module))
    assert pratai("function-create", "fails", "--file", str(path), "--wait").returncode == 0
    done = pratai("function-execute", "fails", "--wait")
    assert done.returncode == 1
    assert "error, exception: ValueError: no" in done.stderr
    request = pratai.json("request-list", "--filter", "fails")[0]
    log = pratai("request-logs", request["request_id"]).stdout
    assert log.startswith("said\nTraceback (most recent call last):\n")
    assert request["request_id"] in str(pratai.json("request-list", "--filter", "error"))


def test_a_build_that_fails_shows_its_log(pratai: Pratai, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(package("def main(p=None): 0\n", "no-such-package-as-this-one==99\n"))
    done = pratai("function-create", "unbuildable", "--zip", str(path), "--wait")
    assert done.returncode == 1
    assert "No matching distribution found" in done.stderr
    assert "the build failed: installing the requirements failed" in done.stderr


def test_exit_codes(pratai: Pratai, archive: str, tmp_path: Path) -> None:
    refused = pratai("function-create", "1st", "--zip", archive)
    assert (refused.returncode, "HTTP 400" in refused.stderr) == (4, True)
    assert pratai("function-create", "a", "--zip", str(tmp_path / "none")).returncode == 4
    assert pratai("function-execute", "nobody", "--payload", "1").returncode == 3
    assert pratai("request-show", "nobody").returncode == 3
    away = Pratai(f"http://127.0.0.1:{free_port()}")("function-list")
    assert (away.returncode, "nothing answers at http://127.0.0.1:" in away.stderr) == (5, True)
    assert "OS_PRATAI_URL is not set" in Pratai("")("function-list").stderr


def test_what_runs(pratai: Pratai) -> None:
    daemons = pratai.json("cluster-status")
    assert {each["daemon_type"] for each in daemons if each["status"] == "running"} == {
        "api",
        "agent",
        "scheduler",
        "collector",
        "driver",
    }
    assert [each["name"] for each in pratai.json("runtime-list")] == ["python3"]
