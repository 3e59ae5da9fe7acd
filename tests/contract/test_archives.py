"""What archives must do, of every implementation, on the real server."""

import hashlib
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pratai_common import limits
from pratai_common.archives.base import Archives
from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.records import Body
from tests.archives import asked, in_folder, soon
from tests.node_api import NodeApi

Open = Callable[[Path], Archives]
"""How an implementation is opened; two that are opened in one folder are the same archives."""
SPAWN = multiprocessing.get_context("spawn")
LONGEST_WAIT = 120


@pytest.fixture(params=["filesystem", "swift"])
def opens(request: pytest.FixtureRequest) -> Open:
    if request.param == "filesystem":
        return in_folder
    opens: Open = request.getfixturevalue("in_swift")
    return opens


@pytest.fixture
def folder(tmp_path: Path, opens: Open) -> Path:
    made = tmp_path / "archives"
    for _ in range(2):  # it is repeatable
        opens(made).prepare()
    return made


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
    with archives.open(name) as file:
        assert file.read() == content
        assert file.seek(0, os.SEEK_END) == len(content)


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
        archives.open(name)
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


# What anybody may get who has an address


@pytest.fixture(params=["filesystem", "swift"])
def reachable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archives]:
    """Archives with what stands behind their addresses."""
    if request.param == "swift":
        archives = request.getfixturevalue("in_swift")(tmp_path)
        archives.prepare()
        yield archives
        return
    api = NodeApi(tmp_path)
    yield api.archives
    api.close()


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 4096])
def test_an_address_is_all_that_is_needed(reachable: Archives, content: bytes) -> None:
    url = reachable.url(reachable.put(content), soon())
    for answer in (asked(url), asked(url)):
        assert (answer.status_code, answer.content) == (200, content)
    assert asked(url, "HEAD").status_code == 200


def test_an_address_is_good_for_one_archive_and_for_reading_alone(reachable: Archives) -> None:
    name, other = reachable.put(b"content"), reachable.put(b"other content")
    url, expires = reachable.url(name, soon()), soon() - 120
    refused = [
        asked(url.replace(name, other)),
        asked(reachable.url(name, expires)),
        asked(reachable.url(name, expires).replace(str(expires), str(expires + 240))),
        asked(url.partition("?")[0] + "?" + reachable.url(other, soon()).partition("?")[2]),
        asked(f"{url}0"),
        asked(url, "PUT", b"c0ntent"),
        asked(url, "DELETE"),
    ]
    assert [each.status_code in (401, 403, 405) for each in refused] == [True] * 7
    assert [b"content" in each.content for each in refused] == [False] * 7
    assert asked(url).content == reachable.get(name) == b"content"


def test_the_address_of_what_is_not_there(reachable: Archives) -> None:
    assert asked(reachable.url("0" * 64, soon())).status_code == 404
    assert asked(reachable.url(reachable.put(b"content"), soon())).content == b"content"


# Files


def test_a_damaged_archive_is_missing_until_it_is_put_again(tmp_path: Path) -> None:
    archives = in_folder(tmp_path)
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
    archives = in_folder(folder)
    with pytest.raises(ArchivesUnavailableError, match="cannot be written"):
        archives.put(b"content")
    folder.unlink()
    assert archives.get(archives.put(b"content")) == b"content"


def test_archives_that_cannot_be_read(tmp_path: Path) -> None:
    """What may be there is not missing."""
    archives = in_folder(tmp_path)
    name = archives.put(b"content")
    path = next(tmp_path.rglob(name))
    path.unlink()
    path.mkdir()
    with pytest.raises(ArchivesUnavailableError, match="cannot be read"):
        archives.get(name)
    path.rmdir()
    assert archives.get(archives.put(b"content")) == b"content"
