"""Unpacked files within a bound: what goes, what stays, and what a crash may leave."""

from pathlib import Path

import pytest

from pratai_drivers.unpacked import Unpacked, Write
from tests.deep import deep_folders


def files(size: int) -> Write:
    def write(folder: Path, _most: int) -> int:
        (folder / "file").write_bytes(b"x" * size)
        return size

    return write


@pytest.fixture
def unpacked(tmp_path: Path) -> Unpacked:
    made = Unpacked(tmp_path / "unpacked", 100)
    made.open()
    return made


def kept(unpacked: Unpacked) -> set[str]:
    return {key for key in "abcde" if unpacked.has(key)}


def test_what_is_lent_is_there(unpacked: Unpacked) -> None:
    unpacked.put("a", files(10))
    unpacked.put("b", files(20))
    loan = unpacked.lend(["b", "a"])
    assert loan is not None
    assert [(folder / "file").stat().st_size for folder in loan.folders] == [20, 10]
    assert unpacked.lend(["a", "c"]) is None


def test_what_was_wanted_longest_ago_goes(unpacked: Unpacked) -> None:
    for key in "abc":
        unpacked.put(key, files(30))
    loan = unpacked.lend(["a"])
    assert loan is not None
    loan.give_back()
    unpacked.put("d", files(30))
    assert kept(unpacked) == {"a", "c", "d"}
    unpacked.put("e", files(100))
    assert kept(unpacked) == {"e"}


def test_what_is_lent_stays(unpacked: Unpacked) -> None:
    unpacked.put("a", files(60))
    loan, again = unpacked.lend(["a"]), unpacked.lend(["a"])
    assert loan is not None
    assert again is not None
    unpacked.put("b", files(60))
    unpacked.put("c", files(60))
    assert kept(unpacked) == {"a", "c"}
    loan.give_back()
    loan.give_back()
    unpacked.put("d", files(60))
    assert kept(unpacked) == {"a", "d"}
    assert (loan.folders[0] / "file").exists()
    again.give_back()
    unpacked.put("e", files(60))
    assert kept(unpacked) == {"e"}
    assert not loan.folders[0].exists()


def test_files_that_were_made_twice_are_kept_once(unpacked: Unpacked, tmp_path: Path) -> None:
    unpacked.put("a", files(10))
    unpacked.put("a", files(10))
    assert len(list((tmp_path / "unpacked").iterdir())) == 1


def test_what_could_not_be_written_leaves_nothing(unpacked: Unpacked, tmp_path: Path) -> None:
    def write(folder: Path, most: int) -> int:
        files(5)(folder, most)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        unpacked.put("a", write)
    assert list((tmp_path / "unpacked").iterdir()) == []
    assert kept(unpacked) == set()


def test_the_next_process_finds_what_was_finished(unpacked: Unpacked, tmp_path: Path) -> None:
    unpacked.put("a", files(30))
    unpacked.put("b", files(30))
    for name in ("unfinished-x", "unfinished-c-30", "else"):
        (tmp_path / "unpacked" / name).mkdir()
        (tmp_path / "unpacked" / name / "file").touch()
    later = Unpacked(tmp_path / "unpacked", 100)
    later.open()
    assert kept(later) == {"a", "b"}
    assert len(list((tmp_path / "unpacked").iterdir())) == 2
    later.put("c", files(50))
    assert kept(later) == {"b", "c"}


def test_the_next_start_of_the_machine_finds_nothing(unpacked: Unpacked, tmp_path: Path) -> None:
    """What was renamed may not have been written by then."""
    unpacked.put("a", files(30))
    later = Unpacked(tmp_path / "unpacked", 100, "5f4c-2b")
    later.open()
    assert kept(later) == set()
    assert list((tmp_path / "unpacked").iterdir()) == []
    later.put("a", files(30))
    again = Unpacked(tmp_path / "unpacked", 100, "5f4c-2b")
    again.open()
    assert kept(again) == {"a"}


def test_folders_deeper_than_any_stack_hinder_no_start(unpacked: Unpacked, tmp_path: Path) -> None:
    unfinished = tmp_path / "unpacked" / "unfinished-x"
    unfinished.mkdir()
    with deep_folders(unfinished) as deep:
        deep(unfinished)
        unpacked.open()
        assert list((tmp_path / "unpacked").iterdir()) == []


def test_folders_deeper_than_any_stack_leave_no_rest(unpacked: Unpacked, tmp_path: Path) -> None:
    with deep_folders(tmp_path / "unpacked") as deep:

        def write(folder: Path, _most: int) -> int:
            deep(folder)
            raise OSError("the disk is full")

        with pytest.raises(OSError, match="the disk is full"):
            unpacked.put("a", write)
        assert list((tmp_path / "unpacked").iterdir()) == []


def test_no_content_may_take_more_than_a_quarter(unpacked: Unpacked) -> None:
    told: list[int] = []

    def write(_folder: Path, most: int) -> int:
        told.append(most)
        return 0

    unpacked.put("a", write)
    assert told == [25]
