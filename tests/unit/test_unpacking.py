"""Tars of files that hostile code made: nothing is written elsewhere, nor as somebody else's."""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_drivers.unpacking import UnpackError, unpack

MOST = 1_000_000


def entry(name: str, **values: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(made, key, value)
    return made


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return entry(name, type=kind, linkname=target)


def tar(*entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> Iterator[bytes]:
    """Return a tar in pieces, with an empty one, as they may come."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry("root", type=tarfile.DIRTYPE, mode=0o700))
        for each in entries:
            info, content = each if isinstance(each, tuple) else (each, b"")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    content = buffer.getvalue()
    yield b""
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


@pytest.fixture
def umask() -> Iterator[None]:
    """That of a daemon."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_files_are_everybodys_to_read_and_nobodys_to_write(tmp_path: Path) -> None:
    size = unpack(
        tar(
            entry("root/deep", type=tarfile.DIRTYPE, mode=0o700, uid=10001),
            (entry("root/deep/a.py", mode=0o600, uid=10001, mtime=5), b"a" * 5000),
            (entry("root/run", mode=0o6777, uid=10001), b"#!/bin/sh"),
            (entry("root/implied/folder/b", mode=0o644), b""),
        ),
        tmp_path,
        MOST,
    )
    found = {
        str(path.relative_to(tmp_path)): (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid)
        for path in (tmp_path, *tmp_path.rglob("*"))
    }
    own = os.geteuid()
    assert found == {
        ".": (0o755, own),
        "deep": (0o755, own),
        "deep/a.py": (0o644, own),
        "run": (0o755, own),
        "implied": (0o755, own),
        "implied/folder": (0o755, own),
        "implied/folder/b": (0o644, own),
    }
    assert (tmp_path / "deep/a.py").read_bytes() == b"a" * 5000
    assert (tmp_path / "deep/a.py").stat().st_mtime == 5
    # In blocks: the tar's folder, "deep", and the files; one that holds nothing counts as well.
    assert size == (1 + 1 + 2 + 1 + 1) * 4096


def test_links_are_kept_as_they_are(tmp_path: Path) -> None:
    unpack(
        tar(
            link("root/bin/tool", "../tool"),
            link("root/everywhere", "/etc"),
            (entry("root/tool"), b"tool"),
            link("root/same", "root/tool", tarfile.LNKTYPE),
        ),
        tmp_path,
        MOST,
    )
    assert (tmp_path / "bin/tool").readlink() == Path("../tool")
    assert (tmp_path / "everywhere").readlink() == Path("/etc")
    assert (tmp_path / "same").read_bytes() == b"tool"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([(entry("root/../../outside"), b"x")], "leads out of it"),
        ([(entry("/outside"), b"x")], "leads out of it"),
        ([link("root/a", "root/nothing", tarfile.LNKTYPE)], "a link to what is not there"),
        ([link("root/a", "/etc/passwd", tarfile.LNKTYPE)], "leads out of it"),
        ([entry("root/pipe", type=tarfile.FIFOTYPE)], "neither a file nor a folder nor a link"),
        ([entry("root/disk", type=tarfile.BLKTYPE)], "neither a file nor a folder nor a link"),
        ([(entry("root/large"), b"x" * MOST)], "it takes more than 1000000 bytes"),
        ([entry(f"root/{number}") for number in range(MOST // 4096 + 1)], "it takes more than"),
        ([(entry("root"), b"x")], "it holds no folder"),
        ([(entry("root/a", pax_headers={"mtime": "1e400"}), b"x")], "it is no tar"),
        ([entry("root" + "/a" * 100)], "lies too deep"),
        ([entry("root" + f"/{'a' * 200}" * 12)], "lies too deep"),
        ([(entry("root/" + "a" * 256), b"x")], "it cannot be written: File name too long"),
        ([link("root/a", "x" * 5000)], "it cannot be written: File name too long"),
        ([entry("root/a"), entry("root/a")], "it cannot be written: File exists"),
        ([entry("root/a"), entry("root/a/b")], "it cannot be written: "),
    ],
)
def test_what_is_refused(
    entries: list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]], said: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(UnpackError, match=said):
        unpack(tar(*entries), target, MOST)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("order", [1, -1])
def test_nothing_is_written_through_a_link(order: int, tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    through = [link("root/a", str(outside)), (entry("root/a/b"), b"x"), link("root/a/c", "x")]
    with pytest.raises(UnpackError, match="it cannot be written: "):
        unpack(tar(*through[::order]), target, MOST)
    assert list(outside.iterdir()) == []


def test_a_tar_that_breaks_off_is_none(tmp_path: Path) -> None:
    pieces = list(tar((entry("root/a"), b"x" * 5000)))
    with pytest.raises(UnpackError, match="it is no tar"):
        unpack(pieces[:3], tmp_path, MOST)


def test_as_deep_as_may_be(tmp_path: Path) -> None:
    unpack(tar(entry("root" + "/a" * 99)), tmp_path, MOST)
    assert tmp_path.joinpath(*["a"] * 99).is_file()


def test_a_disk_that_fails_is_no_fault_of_the_files(tmp_path: Path) -> None:
    """Somebody takes the folder away, for one."""
    pieces = tar(entry("root/a/b", type=tarfile.DIRTYPE), (entry("root/a/b/c"), b"x"))
    target = tmp_path / "target"
    target.mkdir()

    def taken_away() -> Iterator[bytes]:
        target.rename(tmp_path / "elsewhere")
        yield from pieces

    with pytest.raises(FileNotFoundError):
        unpack(taken_away(), target, MOST)
