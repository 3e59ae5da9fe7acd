"""What builds leave for later ones, and what a hostile one can do with that."""

import os
from pathlib import Path

import pytest

from pratai_common import limits
from pratai_drivers.build_cache import BuildCache
from pratai_drivers.build_pipe import MOST_FILES
from tests.deep import deep_folders

KIB = 1024


def build(cache: BuildCache, owner: str, pipe: Path, content: bytes) -> Path:
    """Go through a build that writes this into its pipe; returns the folder that it saw."""
    with cache.opened(owner, pipe) as folder:
        assert folder is not None
        with pipe.open("wb", buffering=0) as out:
            out.write(content)
    pipe.unlink()
    return folder


def file(path: str, content: bytes) -> bytes:
    return b"%d %s\n%s" % (len(content), path.encode(), content)


def held(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def is_there(cache: BuildCache, owner: str) -> bool:
    with cache.seen(owner) as folder:
        return folder is not None


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    (tmp_path / "build").mkdir()
    return tmp_path / "build" / "new"


def test_files_of_a_build_are_there_for_the_next_of_its_project_alone(
    tmp_path: Path, pipe: Path
) -> None:
    cache = BuildCache(tmp_path / "cache", 200 * KIB)
    files = {"http/a/b": b"1" * 20_000, "wheels/x-1.0+local.whl": b"2\n3", "empty": b""}
    folder = build(cache, "p", pipe, b"".join(file(*each) for each in files.items()))
    assert held(folder) == files
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "http" / "a" / "b").stat().st_mode & 0o777 == 0o644
    build(cache, "p", pipe, file("empty", b"full"))
    assert held(folder) == {**files, "empty": b"full"}
    assert held(build(cache, "q", pipe, b"")) == {}


@pytest.mark.parametrize(
    "line",
    [
        b"5 ../secret\nhello",
        b"5 a/../../secret\nhello",
        b"5 /secret\nhello",
        b"5 a//b\nhello",
        b"5 .\nhello",
        b"5 a b\nhello",
        b"-5 a\nhello",
        b"5a\nhello",
        b"\n",
        b"99999999999999 a\nhello",
        b"26000 large\n" + b"x" * 26_000,
        b"5 " + b"x" * 5000,
        b"5 " + b"x/" * 600 + b"x\nhello",
        b"5 " + b"/".join([b"x" * 200] * 6) + b"\nhello",
        b"5 " + b"x/" * 10 + b"x\nhello",
        b"- " + b"x/" * 10 + b"x\n",
        b"\xff\xff\n",
        b"5 a\nhell",
    ],
)
def test_what_is_not_understood_ends_the_taking(tmp_path: Path, pipe: Path, line: bytes) -> None:
    """A file before it is kept, one behind it is not, and nothing lies outside of the cache."""
    cache = BuildCache(tmp_path / "cache", 100 * KIB)
    folder = build(cache, "p", pipe, file("before", b"1") + line + file("behind", b"2"))
    kept = held(folder)
    # A file that lacks an end is made whole by what comes next, and that is its own project's loss.
    if line == b"5 a\nhell":
        assert kept.pop("a") == b"hell1"
    assert kept == {"before": b"1"}
    assert {each.name for each in tmp_path.iterdir()} == {"build", "cache"}


def test_a_file_in_the_way_of_a_folder_stays(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 100 * KIB)
    content = file("a", b"1") + file("a/b", b"2") + file("c/d", b"3") + file("c", b"4")
    assert held(build(cache, "p", pipe, content)) == {"a": b"1", "c/d": b"3"}


def test_of_a_project_that_was_used_last_stays_what_was_used_last(
    tmp_path: Path, pipe: Path
) -> None:
    cache = BuildCache(tmp_path / "cache", 60 * KIB)  # 15 for each project
    folder = build(cache, "p", pipe, file("old", b"1" * 6000) + file("older", b"2" * 4000))
    os.utime(folder / "old", (1000, 1000))
    os.utime(folder / "older", (500, 500))
    build(cache, "p", pipe, b"- older\n- nothing\n" + file("new", b"3" * 4000))
    # The folder takes a block itself, and each small file one.
    assert held(folder).keys() == {"older", "new"}


def test_projects_that_were_not_used_for_longest_go(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 20 * KIB, share=1)
    folders = [build(cache, owner, pipe, file("a", b"1" * 4000)) for owner in ("p", "q")]
    os.utime(folders[1], (1000, 1000))
    folders.append(build(cache, "r", pipe, file("a", b"1" * 4000)))
    assert [folder.exists() for folder in folders] == [True, False, True]


def test_what_a_build_sees_is_not_removed_meanwhile(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 16 * KIB, share=1)
    build(cache, "p", pipe, file("a", b"1" * 4000))
    build(cache, "q", pipe, b"")
    (tmp_path / "other").mkdir()
    with cache.opened("p", tmp_path / "other" / "new") as folder:
        assert folder is not None
        build(cache, "q", pipe, file("a", b"1" * 4000))
        build(cache, "r", pipe, file("a", b"1" * 4000))
        assert held(folder).keys() == {"a"}
        assert is_there(cache, "r")
        assert not is_there(cache, "q")
    with cache.seen("p") as seen:
        assert seen == folder
        build(cache, "q", pipe, file("a", b"1" * 4000))
        assert held(folder).keys() == {"a"}
    build(cache, "s", pipe, file("a", b"1" * 4000))
    assert not folder.exists()


def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 0)
    with cache.opened("p", pipe) as folder:
        assert folder is None
    assert not pipe.exists()
    assert not is_there(cache, "p")
    assert not (tmp_path / "cache").exists()


def test_files_that_hold_nothing_count_as_well(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 160 * KIB)  # 40 for each project: ten blocks
    folder = build(cache, "p", pipe, b"".join(file(f"f{each}", b"") for each in range(100)))
    assert len(held(folder)) == 9


def test_folders_count_as_well(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 160 * KIB, share=1)  # ten blocks for each build
    folder = build(cache, "q", pipe, b"".join(file(f"{each}/a/a", b"") for each in range(100)))
    # Three blocks each; the last has room for its own, and takes that of its folders.
    assert len(held(folder)) == 4


def test_no_build_leaves_more_files_than_it_may(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 4096 * limits.MIB)
    used = b"- a\n" * MOST_FILES
    folder = build(cache, "p", pipe, file("before", b"1") + used + file("behind", b"2"))
    assert held(folder) == {"before": b"1"}


def test_folders_that_hold_nothing_go(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 100 * KIB)
    folder = build(cache, "p", pipe, file("a/b/c", b"1"))
    (folder / "a" / "empty" / "too").mkdir(parents=True)
    build(cache, "p", pipe, b"")
    assert {str(each.relative_to(folder)) for each in folder.rglob("*")} == {"a", "a/b", "a/b/c"}


def test_folders_deeper_than_any_stack_hinder_nobody(
    tmp_path: Path, pipe: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An earlier version may have left some."""
    cache = BuildCache(tmp_path / "cache", 16 * KIB, share=1)
    with deep_folders(tmp_path / "cache") as deep:
        folder = build(cache, "p", pipe, file("a", b"1"))
        deep(folder)
        build(cache, "q", pipe, file("a", b"2"))
        assert not folder.exists()
        deep(build(cache, "p", pipe, b""))
        assert held(build(cache, "p", pipe, file("b", b"3"))) == {"b": b"3"}
    assert caplog.text == ""


def test_builds_that_never_end_together_do_not_keep_everything(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 400 * KIB)  # 100 for each project
    (tmp_path / "other").mkdir()
    with cache.opened("p", tmp_path / "other" / "new") as folder:
        assert folder is not None
        for each in range(10):
            build(cache, "p", pipe, file(f"f{each}", b"1" * 50 * KIB))
        assert 1 <= len(held(folder)) <= 4
    assert len(held(folder)) == 1


def test_one_build_leaves_a_part_of_what_all_share(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 100 * KIB, share=1)
    for each in range(3):
        content = file(f"a{each}", b"1" * 15 * KIB) + file(f"b{each}", b"1" * 15 * KIB)
        folder = build(cache, "p", pipe, content)
    assert held(folder).keys() == {"a0", "a1", "a2"}


def test_what_belongs_nowhere_is_not_kept(tmp_path: Path, pipe: Path) -> None:
    cache = BuildCache(tmp_path / "cache", 100 * KIB, share=1, begin="http")
    files = {"http/a": b"1", "wheels/b": b"2", "http": b"3", "http-v2/c/d": b"4", "a/http/e": b"5"}
    folder = build(cache, "p", pipe, b"".join(file(*each) for each in files.items()))
    assert held(folder) == {"http/a": b"1", "http-v2/c/d": b"4"}
