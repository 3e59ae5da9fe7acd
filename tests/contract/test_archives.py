"""What archives must do, of every implementation."""

import hashlib
import itertools
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pratai_common import limits
from pratai_common.archives.base import Archives
from pratai_common.archives.filesystem import FilesystemArchives
from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.records import Body

Open = Callable[[Path], Archives]
KINDS: dict[str, Open] = {"filesystem": FilesystemArchives}
"""How each implementation is opened; two that are opened in one folder are the same archives."""
SPAWN = multiprocessing.get_context("spawn")
LONGEST_WAIT = 120


@pytest.fixture(params=KINDS)
def opens(request: pytest.FixtureRequest) -> Open:
    return KINDS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
def archives(opens: Open, folder: Path) -> Archives:
    return opens(folder)


def content_of(number: int) -> bytes:
    return f"content {number}\n".encode() * 10_000


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 1_000_000, bytes(range(256))])
def test_what_is_put_is_got_by_everyone(
    archives: Archives, opens: Open, folder: Path, content: bytes
) -> None:
    name = archives.put(content)
    assert name == hashlib.sha256(content).hexdigest()
    assert archives.get(name) == opens(folder).get(name) == content


def test_putting_it_again_changes_nothing(archives: Archives, opens: Open, folder: Path) -> None:
    names = {archives.put(b"content"), archives.put(b"content"), opens(folder).put(b"content")}
    assert names == {hashlib.sha256(b"content").hexdigest()}
    assert archives.get(names.pop()) == b"content"


@pytest.mark.parametrize(
    "name",
    [
        "0" * 64,
        "",
        "../../etc/passwd",
        "x" * 64,
        "/etc/passwd",
        f"{'0' * 64}\n",
        "0" * 63,
        "é" * 64,
        "0\0",
    ],
)
def test_what_is_not_there(archives: Archives, name: str) -> None:
    there = archives.put(b"content")
    with pytest.raises(ArchiveMissingError):
        archives.get(name)
    with pytest.raises(ArchiveMissingError):
        archives.read(Body(sha256=name, size=7))
    assert archives.read(Body(sha256=there, size=7)) == b"content"


def test_a_name_is_that_of_its_content_only(archives: Archives) -> None:
    name = archives.put(b"content")
    for other in (name.upper(), f" {name}", name[:-1], f"{name}0"):
        with pytest.raises(ArchiveMissingError):
            archives.get(other)
    assert archives.get(name) == b"content"


def test_small_bodies_are_inline(archives: Archives, opens: Open, folder: Path) -> None:
    small = archives.keep(b"x" * limits.INLINE_BODY_BYTES)
    large = archives.keep(b"x" * (limits.INLINE_BODY_BYTES + 1))
    assert small.content == b"x" * limits.INLINE_BODY_BYTES
    assert large.content is None
    for each in (archives, opens(folder)):
        assert len(each.read(small)) == small.size == limits.INLINE_BODY_BYTES
        assert len(each.read(large)) == large.size == limits.INLINE_BODY_BYTES + 1
        assert each.get(large.sha256) == each.read(large)
        with pytest.raises(ArchiveMissingError):
            each.get(small.sha256)
    assert small.sha256 == hashlib.sha256(each.read(small)).hexdigest()


def test_what_counts_as_small_can_be_said(archives: Archives) -> None:
    assert archives.keep(b"xx", inline_bytes=2).content == b"xx"
    assert archives.keep(b"xxx", inline_bytes=2).content is None
    assert archives.keep(b"", inline_bytes=0).content == b""


def test_the_largest_zip(archives: Archives) -> None:
    content = os.urandom(1024) * (limits.MAX_ZIP_BYTES // 1024)
    assert len(content) == limits.MAX_ZIP_BYTES
    assert archives.get(archives.put(content)) == content


def test_many_threads_put_the_same(archives: Archives, opens: Open, folder: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        names = list(threads.map(lambda number: archives.put(content_of(number % 2)), range(64)))
    assert len(set(names)) == 2
    assert [opens(folder).get(name) for name in names[:2]] == [content_of(0), content_of(1)]


def _put(opens: Open, folder: Path, told: Connection) -> None:
    archives = opens(folder)
    for number in itertools.count():
        archives.put(content_of(number))
        told.send(number)


def test_what_was_put_survives_kill_9(opens: Open, folder: Path) -> None:
    """Two processes put the same; both are killed, wherever they are."""
    running = []
    for _ in range(2):
        here, there = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=_put, args=(opens, folder, there))
        process.start()
        there.close()
        running.append((process, here))
    newest = -1
    for process, here in running:
        for _ in range(20):
            assert here.poll(LONGEST_WAIT), "nothing is put any more"
            newest = max(newest, here.recv())
        process.kill()
        process.join()
        here.close()
    assert newest >= 19
    archives = opens(folder)
    for number in range(newest + 1):
        name = hashlib.sha256(content_of(number)).hexdigest()
        assert archives.get(name) == content_of(number)
    assert archives.get(archives.put(content_of(newest + 1))) == content_of(newest + 1)


def test_a_damaged_archive_is_missing_until_it_is_put_again(tmp_path: Path) -> None:
    archives = FilesystemArchives(tmp_path)
    name = archives.put(b"content")
    assert archives.get(name) == b"content"
    next(tmp_path.rglob(name)).write_bytes(b"c0ntent")
    with pytest.raises(ArchiveMissingError, match="damaged"):
        archives.get(name)
    archives.put(b"content")
    assert archives.get(name) == b"content"


def test_archives_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.write_bytes(b"a file where the folder should be")
    archives = FilesystemArchives(folder)
    with pytest.raises(ArchivesUnavailableError, match="cannot be written"):
        archives.put(b"content")
    folder.unlink()
    assert archives.get(archives.put(b"content")) == b"content"
