"""Files that must survive power loss."""

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """A folder of files, by their names. All of it raises OSError."""

    def names(self) -> list[str]:
        """Return the names of the files, sorted."""

    def read(self, name: str) -> bytes:
        """Return what a file holds."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file durably: after a crash it holds all of this, or is as it was before."""

    def append(self, name: str, content: bytes) -> int:
        """Write to the end of a file, made if it is not there, all or nothing; returns where that
        begins. It may be lost where the machine loses power. The last file that was appended to
        stays open until another one is, or it is removed.
        """

    def rename(self, name: str, new: str) -> None:
        """Give a file another name."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there. It may be there again after a crash, until ``sync``."""

    def sync(self) -> None:
        """Make what was removed and renamed durable."""


@dataclass
class _Open:
    """A file that is appended to."""

    name: str
    descriptor: int
    size: int


class Folder:
    """A folder on a real disk, made if it is not there. No other process writes to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: _Open | None = None
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
        _remove_unwritten(path)

    def names(self) -> list[str]:
        """Return the names of the files, sorted."""
        return sorted(each.name for each in self._path.iterdir())

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        return (self._path / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file durably."""
        write_durably(self._path / name, content)

    def append(self, name: str, content: bytes) -> int:
        """Write to the end of a file; see Disk. One thread at a time."""
        file = self._appending(name)
        start = file.size
        try:
            if os.write(file.descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        except OSError:
            os.ftruncate(file.descriptor, start)
            raise
        file.size += len(content)
        return start

    def _appending(self, name: str) -> "_Open":
        if self._open is None or self._open.name != name:
            self._close()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self._path / name, flags, 0o640)
            self._open = _Open(name, descriptor, os.fstat(descriptor).st_size)
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            os.close(self._open.descriptor)
            self._open = None

    def rename(self, name: str, new: str) -> None:
        """Give a file another name."""
        (self._path / name).rename(self._path / new)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        file = self._open  # another thread may close it, if it is not this one
        if file is not None and file.name == name:
            self._close()
        (self._path / name).unlink(missing_ok=True)

    def sync(self) -> None:
        """Make what was removed and renamed durable."""
        sync_folder(self._path)


def write_durably(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file so that after a crash it is there whole, or not at all; raises OSError.

    It never has more rights than ``mode``, and has these at the end; default: what umask leaves.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        opener = partial(os.open, mode=0o666 if mode is None else mode)
        with open(temporary, "wb", opener=opener) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: a renamed file is safe only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_unwritten(folder: Path) -> None:
    """Remove what ``write_durably`` had begun in a folder when its process was killed."""
    for temporary in folder.glob(".*.new"):
        temporary.unlink()
