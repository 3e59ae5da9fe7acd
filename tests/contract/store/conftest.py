"""A store of each kind for each case."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from pratai_common.store.base import Store
from pratai_common.store.sqlite import SQLiteStore
from tests.contract.store.kinds import KINDS, Elasticsearch, Kind
from tests.elasticsearch_server import Cluster

T = TypeVar("T")
Open = Callable[[], Store]


class Shows:
    """Asserts what a list shows once it has caught up."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def __call__(self, look: Callable[[], T], expected: T) -> None:
        self._kind.catch_up()
        assert look() == expected


@pytest.fixture(scope="session")
def elasticsearch(elasticsearch_server: Cluster) -> str:
    """The address of a server."""
    return elasticsearch_server.hosts[0]


@pytest.fixture(params=KINDS)
def kind_of_store(request: pytest.FixtureRequest) -> tuple[type[Kind], str]:
    """A kind of store, and the address of its server, where it has one."""
    kind = KINDS[request.param]
    return kind, request.getfixturevalue(kind.server) if kind.server else ""


@pytest.fixture
def bare(kind_of_store: tuple[type[Kind], str], tmp_path: Path) -> Iterator[Kind]:
    """A store in which nothing was made yet."""
    kind, address = kind_of_store
    made = kind(tmp_path, address)
    yield made
    made.remove()


@pytest.fixture
def kind(kind_of_store: tuple[type[Kind], str], tmp_path: Path) -> Iterator[Kind]:
    """A store whose schema was made."""
    kind, address = kind_of_store
    made = kind.made(tmp_path, address)
    yield made
    made.remove()


@pytest.fixture
def open_store(kind: Kind) -> Iterator[Open]:
    """Opens the store again and again, as several processes do."""
    stores: list[Store] = []

    def open_one() -> Store:
        stores.append(kind.open())
        return stores[-1]

    yield open_one
    for each in stores:
        each.close()


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()


@pytest.fixture
def shows(kind: Kind) -> Shows:
    return Shows(kind)


@pytest.fixture
def empty(elasticsearch: str, tmp_path: Path) -> Iterator[Elasticsearch]:
    """An Elasticsearch in which nothing was made, in suites that look into it."""
    made = Elasticsearch(tmp_path, elasticsearch)
    yield made
    made.remove()


@pytest.fixture
def own(elasticsearch: str, tmp_path: Path) -> Iterator[Elasticsearch]:
    """An Elasticsearch whose schema was made."""
    made = Elasticsearch.made(tmp_path, elasticsearch)
    yield made
    made.remove()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the embedded store lies, in suites that look into it."""
    return tmp_path / "store.sqlite"


@pytest.fixture
def sqlite_store(path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(path)
    opened.create_schema()
    yield opened
    opened.close()
