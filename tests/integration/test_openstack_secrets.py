"""A recognizable secret on the openstack stack: in Barbican, in the function that needs it, and in
nothing else that the stack keeps.
"""

import configparser
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.openstack import OpenStack
from tests.packages import package
from tests.searching import files_with, holds, image_with, indexed, inspected
from tests.waiting import until

VALUE = "rec0gnizable-7d1f90c4"
PLANTED = "plant3d-3b6e8a52"
MODULE = package(
    """
    from hashlib import sha256

    from pratai import secret

    def main(payload=None):
        value = secret("db")
        print("it is", value)
        if payload == "fail":
            raise ValueError(value)
        return {"planted": payload, "digest": sha256(value.encode()).hexdigest()}
    """
)


@pytest.fixture(scope="module")
def function(openstack: OpenStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "f.zip").write_bytes(MODULE)
    (folder / "value").write_text(VALUE)
    openstack.answer(openstack.user, "secret-create", "db", "--file", folder / "value")
    (folder / "value").unlink()
    words = ("function-create", "secretive", "--zip", folder / "f.zip", "--secret", "db", "--wait")
    made = openstack.answer(openstack.user, *words)
    assert made["status"] == "active", made["build_error"]
    yield str(made["function_id"])
    assert openstack.pratai(openstack.user, "function-delete", "secretive").returncode == 0
    assert openstack.pratai(openstack.user, "secret-delete", "db").returncode == 0


def run(openstack: OpenStack, function: str) -> dict[str, Any]:
    """Return a run as it ended."""
    words = ("function-execute", function, "--payload", json.dumps(PLANTED), "--wait")
    done: dict[str, Any] = openstack.answer(openstack.user, *words)
    return done


def nodes(openstack: OpenStack) -> list[str]:
    found = []
    for path in sorted((openstack.folder / "openstack").glob("pratai-driver@*.conf")):
        conf = configparser.ConfigParser()
        conf.read(path)
        found.append(conf["driver"]["name"])
    return found


def test_it_is_used_and_not_shown(openstack: OpenStack, function: str) -> None:
    done = run(openstack, function)
    assert done["result"]["planted"] == PLANTED
    assert len(done["result"]["digest"]) == 64
    logs = openstack.pratai(openstack.user, "request-logs", done["request_id"])
    assert logs.stdout == "it is ***\n"
    words = ("function-execute", function, "--payload", '"fail"', "--wait")
    failed = openstack.pratai(openstack.user, *words)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "ValueError: ***" in failed.stderr


def test_it_is_in_no_record(openstack: OpenStack, function: str) -> None:
    run(openstack, function)
    records = indexed(f"http://127.0.0.1:{openstack.ports['ELASTICSEARCH']}")
    assert holds(records, PLANTED)  # the search finds what is there
    assert not holds(records, VALUE)


def test_it_is_in_no_file(openstack: OpenStack, function: str) -> None:
    """Neither of the daemons nor of the servers: logs with the audit trail, archives, queues."""
    run(openstack, function)
    password = openstack.user["OS_PASSWORD"]
    assert files_with(openstack.folder, password) != []  # the search finds what is there
    assert files_with(openstack.folder, function) != []
    assert files_with(openstack.folder, VALUE) == []


def test_docker_knows_nothing_of_it(openstack: OpenStack, function: str) -> None:
    def look() -> tuple[str, bytes] | None:
        """Return what Docker tells of the containers, and an image of the function."""
        run(openstack, function)
        containers = inspected(nodes(openstack))
        image = image_with(b"sha256(value", containers)
        return None if image is None else (json.dumps(containers), image)

    containers, image = until(look, "a container of the function waits for an event") or ("", b"")
    assert any(each in containers for each in nodes(openstack))  # it is theirs
    assert not holds(containers.encode(), VALUE)
    assert not holds(image, VALUE)


def test_who_sees_it(openstack: OpenStack, function: str) -> None:
    assert run(openstack, function)["result"]["planted"] == PLANTED
    assert openstack.pratai(openstack.user, "secret-get", "db").stdout == VALUE
    theirs = openstack.pratai(openstack.other, "secret-get", "db")
    assert (theirs.returncode, "the project has no secret db" in theirs.stderr) == (3, True)
    assert openstack.answer(openstack.other, "secret-list") == []
