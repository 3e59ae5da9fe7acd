"""Fixtures that several suites share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import sharing
from tests.barbican import Barbican
from tests.elasticsearch_server import Cluster
from tests.front import Front
from tests.keystone import Keystone
from tests.packages import ECHO
from tests.postgresql import PostgreSQL
from tests.rabbitmq import RabbitMQ
from tests.stack import Stack
from tests.swift import Swift


class Sharing(LoadScopeScheduling):
    """Gives each process whole groups. The option ``--dist loadgroup`` would do, but pytest 9.2 no
    longer lets pytest-xdist 3.8 change the ids of tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        return sharing.group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Share the tests out."""
    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them in order."""
    sharing.sort(items)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that tests share: one that stops it starts its own, and one that kills a part of it
    waits until all is there again.
    """
    # Soon after its last event no container of a function waits: whoever looks may wait for that.
    settings = {"pool": {"idle_seconds": 5}}
    running = Stack(tmp_path_factory.mktemp("stack"), settings).start()
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
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """nginx before three API processes, which tests share. The node echoes, in no container: what
    is tried is in front of it.
    """
    running = Front(tmp_path_factory.mktemp("front"), {"driver": {"engine": "null"}})
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def keystone() -> Iterator[Keystone]:
    """The Keystone that tests share; one that lets it go away lets it come back."""
    running = Keystone()
    yield running
    running.remove()


@pytest.fixture(scope="session")
def swift(keystone: Keystone) -> Iterator[Swift]:
    """The Swift that tests share; one that lets it go away lets it come back."""
    running = Swift(keystone)
    yield running
    running.service.remove()


@pytest.fixture(scope="session")
def barbican(keystone: Keystone) -> Iterator[Barbican]:
    """The Barbican that tests share; one that lets it go away lets it come back."""
    running = Barbican(keystone)
    yield running
    running.remove()


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[Cluster]:
    """The Elasticsearch that tests share; one that ends it starts it again."""
    running = Cluster()
    try:
        yield running.start()
    finally:
        running.remove()


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
        with keystone.stack(Path(folder), settings) as running:
            yield running


@pytest.fixture(scope="session")
def mine(keystone_stack: Stack) -> str:
    """A function of the project demo."""
    return keystone_stack.function(ECHO, name="mine")


@pytest.fixture(scope="session")
def echo(stack: Stack) -> str:
    """An ordinary function."""
    return stack.function(ECHO)


@pytest.fixture
def still_fine(stack: Stack, echo: str) -> Iterator[None]:
    """After the test an ordinary function runs as ever."""
    yield
    assert stack.run(echo, {"a": [1, None, "ö"]})["result"] == {"a": [1, None, "ö"]}
