"""A store of each kind for each case."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from pratai_common.store.base import Store
from pratai_common.store.sqlite import SQLiteStore
from tests.contract.store.kinds import KINDS, Kind
from tests.waiting import until

T = TypeVar("T")
Open = Callable[[], Store]


class Shows:
    """Asserts what a list shows; one that may lag gets the time that it may take."""

    def __init__(self, kind: Kind) -> None:
        self._lag = kind.lists_lag

    def __call__(self, look: Callable[[], T], expected: T) -> None:
        if self._lag and look() != expected:
            until(lambda: look() == expected, f"the list is {expected}", seconds=30)
        assert look() == expected


@pytest.fixture(params=KINDS)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """A store in which nothing was made yet."""
    made = KINDS[request.param](tmp_path)
    yield made
    made.remove()


@pytest.fixture
def kind(bare: Kind) -> Kind:
    """A store whose schema was made."""
    store = bare.open()
    store.create_schema()
    store.close()
    return bare


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
def path(tmp_path: Path) -> Path:
    """Where the embedded store lies, in suites that look into it."""
    return tmp_path / "store.sqlite"


@pytest.fixture
def sqlite_store(path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(path)
    opened.create_schema()
    yield opened
    opened.close()
