"""What a function finds of its secrets, when, and who else does; with every isolation."""

import base64

import pytest

from tests.contract.runner.conftest import StartNode
from tests.contract.runner.node import Node, Runtime
from tests.contract.runner.test_protocol import isolations

SECRETS = [
    {"name": "db", "value": "rec0gnizable\n", "file": "password", "environment": None},
    {"name": "key", "value": "s3crét", "file": None, "environment": "API_KEY"},
]
GIVEN = [
    {**each, "value": base64.b64encode((each["value"] or "").encode()).decode()} for each in SECRETS
]
FILES = {"password": ["rec0gnizable\n", "0o400"]}


@pytest.fixture(autouse=True)
def _with_copies(request: pytest.FixtureRequest, runtime: Runtime) -> None:
    isolation = request.node.callspec.params.get("isolation")
    if isolation == "process" and not runtime.copies:
        pytest.skip(f"{runtime.name} has no copies of a process; see test_alone.py")


@isolations
def test_secrets_are_there_when_the_import_begins(node: Node, isolation: str) -> None:
    assert node.load("secretive", isolation, secrets=GIVEN).header == {"op": "next", "size": 0}
    result = node.event().result
    for found in (result["at_import"], result["now"]):
        assert found["files"] == FILES
        assert found["variable"] == "s3crét"
        assert "PATH=" in found["started_with"]
        assert "API_KEY" not in found["started_with"]
        assert (found["kind"], found["options"]) == ("tmpfs", ["nodev", "noexec", "nosuid"])


@pytest.mark.parametrize("name", ["db", "key"])
def test_secrets_by_their_names(node: Node, name: str) -> None:
    node.load("secretive", "container", secrets=GIVEN)
    expected = next(each["value"] for each in SECRETS if each["name"] == name)
    assert node.event(name).result == expected


def test_a_secret_that_the_function_does_not_name(node: Node) -> None:
    node.load("secretive", "container", secrets=GIVEN)
    reason, message = node.event("other").failure
    assert reason == "exception"
    assert "the function names no secret other" in message


def test_a_function_without_secrets(node: Node) -> None:
    node.load("secretive", "container")
    found = node.event().result["now"]
    assert (found["files"], found["variable"]) == ({}, None)


def test_whom_it_acts_for(node: Node) -> None:
    node.load("secretive", "container")
    assert node.event("identity", identity={"token": "t"}).result == {"token": "t"}


def test_while_it_is_imported_it_acts_for_nobody(node: Node, runtime: Runtime) -> None:
    if runtime.name != "python3":
        pytest.skip("of Python alone")
    assert node.load("early", "container").header == {"op": "next", "size": 0}
    assert node.event(identity={"token": "t"}).result.startswith("the function acts for nobody")


def test_what_an_event_makes_of_the_files_is_not_the_next_ones_affair(
    start_node: StartNode, runtime: Runtime
) -> None:
    if not runtime.copies:
        pytest.skip(f"{runtime.name} has no copies of a process; see test_alone.py")
    node = start_node()
    assert node.load("secretive", "process", secrets=GIVEN).header == {"op": "next", "size": 0}
    assert node.event("spoil").result is None
    node.ready()
    assert node.event().result["now"]["files"] == FILES
