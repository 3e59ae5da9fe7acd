"""What archives must do, of every implementation."""

import hashlib
from pathlib import Path

import pytest

from pratai_common import limits
from pratai_common.archives.base import Archives
from pratai_common.archives.filesystem import FilesystemArchives
from pratai_common.errors import ArchiveMissingError


@pytest.fixture(params=["filesystem"])
def archives(request: pytest.FixtureRequest, tmp_path: Path) -> Archives:
    assert request.param == "filesystem"
    return FilesystemArchives(tmp_path / "archives")


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 1_000_000])
def test_what_is_put_can_be_got(archives: Archives, content: bytes) -> None:
    name = archives.put(content)
    assert name == hashlib.sha256(content).hexdigest() == archives.put(content)
    assert archives.get(name) == content


@pytest.mark.parametrize("name", ["0" * 64, "", "../../etc/passwd", "x" * 64])
def test_what_is_not_there(archives: Archives, name: str) -> None:
    with pytest.raises(ArchiveMissingError):
        archives.get(name)


def test_small_bodies_are_inline(archives: Archives) -> None:
    small = archives.keep(b"x" * limits.INLINE_BODY_BYTES)
    large = archives.keep(b"x" * (limits.INLINE_BODY_BYTES + 1))
    assert small.content is not None
    assert large.content is None
    assert len(archives.read(small)) == small.size == limits.INLINE_BODY_BYTES
    assert len(archives.read(large)) == large.size == limits.INLINE_BODY_BYTES + 1


def test_a_damaged_archive_is_missing(tmp_path: Path) -> None:
    archives = FilesystemArchives(tmp_path)
    name = archives.put(b"content")
    next(tmp_path.rglob(name)).write_bytes(b"c0ntent")
    with pytest.raises(ArchiveMissingError, match="damaged"):
        archives.get(name)
