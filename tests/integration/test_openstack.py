"""The way of a job on the openstack stack, as its users go it: with the ``pratai`` command."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from pratai_api.connections import listeners
from tests.openstack import OpenStack
from tests.packages import package
from tests.stack import BIN
from tests.waiting import until

MODULE = package("def main(payload=None):\n    print('got', payload)\n    return payload\n")


@pytest.fixture(scope="module")
def function(openstack: OpenStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    zip_file = tmp_path_factory.mktemp("zip") / "f.zip"
    zip_file.write_bytes(MODULE)
    made = openstack.answer(openstack.user, "function-create", "f", "--zip", zip_file, "--wait")
    assert made["status"] == "active", made["build_error"]
    return str(made["function_id"])


def execute(openstack: OpenStack, function: str, payload: str) -> str:
    """Return the id of a request that was waited for, with what it was given as its result."""
    done = openstack.answer(
        openstack.user, "function-execute", function, "--payload", payload, "--wait"
    )
    assert str(done["result"]) == payload
    return str(done["request_id"])


def test_the_way_of_a_job(openstack: OpenStack, function: str) -> None:
    request_id = execute(openstack, function, "7")
    shown = openstack.answer(openstack.user, "request-show", request_id)
    assert (shown["status"], shown["result"]) == ("success", 7)
    logs = openstack.pratai(openstack.user, "request-logs", request_id)
    assert (logs.returncode, logs.stdout) == (0, "got 7\n")


def test_the_openstack_command_goes_the_same_way(openstack: OpenStack, function: str) -> None:
    def answer(who: dict[str, str], *words: str) -> Any:
        command = ["openstack", "function", *words, "-f", "json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=who)
        return json.loads(done.stdout) if done.returncode == 0 else done.returncode

    ran = answer(openstack.user, "execute", "f", "--payload", "9", "--wait")
    assert ran["result"] == 9
    assert answer(openstack.user, "request", "show", ran["request_id"])["status"] == "success"
    assert answer(openstack.other, "show", function) == 3
    assert answer(openstack.user, "cluster", "status") == 4
    daemons = answer(openstack.admin, "cluster", "status")
    assert "scheduler" in {each["daemon_type"] for each in daemons}


def test_it_is_kept_where_it_belongs(openstack: OpenStack, function: str) -> None:
    """Requests in Elasticsearch, zips in Swift: nothing of either on this machine's disk."""
    store = f"http://127.0.0.1:{openstack.ports['ELASTICSEARCH']}"
    request_id = execute(openstack, function, "8")
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"{store}/_refresh", timeout=60)
        found = session.get(f"{store}/pratai-*/_search?q={request_id}", timeout=60).json()
    assert found["hits"]["total"]["value"] >= 1
    kept = openstack.folder / "openstack" / "state"
    assert not list(kept.rglob("*.sqlite"))
    assert list((openstack.folder / "openstack" / "swift" / "devices").rglob("*.data"))


def test_who_sees_it(openstack: OpenStack, function: str) -> None:
    mine = openstack.answer(openstack.user, "function-show", function)
    assert mine["function_id"] == function
    theirs = openstack.pratai(openstack.other, "function-show", function)
    assert theirs.returncode == 3
    assert f"there is no function {function} (HTTP 404" in theirs.stderr
    assert openstack.answer(openstack.other, "function-list") == []
    daemons = openstack.answer(openstack.admin, "cluster-status")
    count = [each["daemon_type"] for each in daemons if each["status"] == "running"]
    assert sorted(set(count)) == ["agent", "api", "collector", "driver", "scheduler"]
    assert (count.count("api"), count.count("driver")) == (3, 2)
    refused = openstack.pratai(openstack.user, "cluster-status")
    assert (refused.returncode, "HTTP 403" in refused.stderr) == (4, True), refused


def test_without_a_token_nobody_is_let_in(openstack: OpenStack, function: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{openstack.url}/v1/functions/{function}", timeout=60)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "unauthenticated")


def test_an_api_process_dies(openstack: OpenStack, function: str) -> None:
    port = openstack.ports["API1"]
    killed = listeners(port)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for number in range(3):
        execute(openstack, function, str(number))
    until(lambda: listeners(port) - killed, "it was started again")


def test_a_rolling_restart(openstack: OpenStack, function: str) -> None:
    ports = [openstack.ports[f"API{number}"] for number in (1, 2, 3)]
    until(lambda: all(map(listeners, ports)), "all run")
    before = [listeners(port) for port in ports]
    command = [BIN / "pratai-api-roll", "--config-file", openstack.conf]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not set().union(*before) & set().union(*map(listeners, ports))
    execute(openstack, function, "9")


def test_its_secrets_are_its_owner_s(openstack: OpenStack) -> None:
    private = [*(openstack.folder / name for name in ("clientrc", "adminrc", "otherrc")),
               openstack.conf]  # fmt: skip
    assert [oct(path.stat().st_mode & 0o777) for path in private] == ["0o600"] * 4
    password = openstack.user["OS_PASSWORD"]
    commands = list(command_lines())
    assert [each for each in commands if str(openstack.folder) in each], "its daemons are seen"
    assert not [each for each in commands if password in each]


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            yield path.read_text()


def test_the_same_after_a_restart(openstack: OpenStack, function: str) -> None:
    request_id = execute(openstack, function, "10")
    openstack.stop()
    assert not [port for port in openstack.ports.values() if listeners(port)]
    openstack.start()
    shown = openstack.answer(openstack.user, "request-show", request_id)
    assert (shown["status"], shown["result"]) == ("success", 10)
    execute(openstack, function, "11")
