"""Fixtures that several suites share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.keystone import Keystone
from tests.openstack import OpenStack
from tests.packages import ECHO
from tests.postgresql import PostgreSQL
from tests.rabbitmq import RabbitMQ
from tests.stack import Stack
from tests.swift import Swift


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that tests share; one that kills or stops it starts its own."""
    running = Stack(tmp_path_factory.mktemp("stack")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def null_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that tests share, whose engine answers what came in and runs nothing."""
    settings = {"driver": {"engine": "null"}, "agent": {"deny_networks": ""}}
    running = Stack(tmp_path_factory.mktemp("null"), settings).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def keystone() -> Iterator[Keystone]:
    """The Keystone that tests share; one that lets it go away lets it come back."""
    running = Keystone()
    yield running
    running.service.remove()


@pytest.fixture(scope="session")
def swift(keystone: Keystone) -> Iterator[Swift]:
    """The Swift that tests share; one that lets it go away lets it come back."""
    running = Swift(keystone)
    yield running
    running.service.remove()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The PostgreSQL that tests share; one that ends it starts it again."""
    running = PostgreSQL()
    yield running
    running.service.remove()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """The RabbitMQ that tests share; one that ends it starts it again."""
    running = RabbitMQ()
    yield running
    running.service.remove()


@pytest.fixture(scope="session")
def keystone_stack(keystone: Keystone) -> Iterator[Stack]:
    """A stack that asks Keystone, which knows it; its session is that of a member of demo."""
    with TemporaryDirectory() as folder:
        settings = {
            **keystone.settings(),
            "DEFAULT": {"debug": "true"},
            "driver": {"engine": "null"},
            "cors": {"allowed_origin": "https://dashboard.example"},
            "healthcheck": {
                "backends": "disable_by_file",
                "disable_by_file_path": f"{folder}/drain",
            },
        }
        running = Stack(Path(folder), settings)
        keystone.register(f"service pratai function {running.url}")
        running.start()
        running.session.headers["X-Auth-Token"] = keystone.token("member", "demo")
        yield running
        running.stop()


@pytest.fixture(scope="session")
def mine(keystone_stack: Stack) -> str:
    """A function of the project demo."""
    return keystone_stack.function(ECHO, name="mine")


@pytest.fixture(scope="session")
def openstack() -> Iterator[OpenStack]:
    """The openstack stack that tests share; one that stops a part of it starts that again."""
    running = OpenStack()
    try:
        yield running.start()
    finally:
        running.remove()


@pytest.fixture(scope="session")
def echo(stack: Stack) -> str:
    """An ordinary function."""
    return stack.function(ECHO)


@pytest.fixture
def still_fine(stack: Stack, echo: str) -> Iterator[None]:
    """After the test an ordinary function runs as ever."""
    yield
    assert stack.run(echo, {"a": [1, None, "ö"]})["result"] == {"a": [1, None, "ö"]}
