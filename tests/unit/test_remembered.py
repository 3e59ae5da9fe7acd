"""Functions that are remembered by the embedded store: never older than what was written last."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratai_common.errors import NameTakenError
from pratai_common.records import Function
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.store.sqlite_remembered import Remembered
from tests.records import function


class Counting(SQLiteStore):
    """A process's own store; ``reads`` counts those of the database."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads = 0

    def _find(self, function_ids: list[str]) -> list[Function | None]:
        self.reads += 1
        return super()._find(function_ids)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Counting]]:
    """Two processes' stores of the same file."""
    made = [Counting(tmp_path / "store.sqlite") for _ in range(2)]
    made[0].create_schema()
    yield made
    for each in made:
        each.close()


def test_it_is_read_once_and_anew_when_anybody_has_written(stores: list[Counting]) -> None:
    mine, theirs = stores
    mine.create_function(function(1))
    for _ in range(100):
        assert mine.get_functions(["f1"])["f1"].name == function(1).name
    assert mine.reads == 1
    theirs.change_function("f1", lambda old: replace(old, name="theirs"))
    assert mine.get_functions(["f1"])["f1"].name == "theirs"
    mine.change_function("f1", lambda old: replace(old, name="mine"))
    assert [each.get_functions(["f1"])["f1"].name for each in stores] == ["mine", "mine"]
    assert mine.reads == 3


def test_what_is_not_there_is_remembered_too(stores: list[Counting]) -> None:
    mine, theirs = stores
    for _ in range(2):
        assert mine.get_functions(["f1", "f2"]) == {}
    assert mine.reads == 1
    theirs.create_function(function(2))
    assert list(mine.get_functions(["f1", "f2"])) == ["f2"]


def test_a_write_in_vain_undoes_nothing(stores: list[Counting]) -> None:
    mine, theirs = stores
    mine.create_function(function(1))
    with pytest.raises(NameTakenError):
        theirs.create_function(replace(function(2), name=function(1).name))
    assert list(mine.get_functions(["f1", "f2"])) == ["f1"]


def test_where_a_writer_said_nothing_it_is_old_for_a_second(tmp_path: Path) -> None:
    """As one that was killed between its write and that."""
    now, written = 0.0, function(1)

    def read(ids: Sequence[str]) -> list[Function | None]:
        return [written for _ in ids]

    remembered = Remembered(tmp_path / "number", read, lambda: now)
    assert remembered.get(["f1"]) == {"f1": function(1)}
    written = replace(written, name="new")
    now = 0.9
    assert remembered.get(["f1"])["f1"].name == function(1).name
    now = 1.0
    assert remembered.get(["f1"])["f1"].name == "new"


def test_where_there_can_be_no_file_nothing_is_remembered(tmp_path: Path) -> None:
    reads = []

    def read(ids: Sequence[str]) -> list[Function | None]:
        reads.append(list(ids))
        return [function(int(each[1:])) for each in ids]

    remembered = Remembered(tmp_path / "no folder" / "number", read)
    for _ in range(2):
        assert list(remembered.get(["f1"])) == ["f1"]
    remembered.changed()
    assert reads == [["f1"], ["f1"]]
