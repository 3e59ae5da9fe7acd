"""Writes the files of a tar that hostile code made into a folder, as nobody's but the node's own.

Links are made last, so nothing is ever written through one. Owners, setuid bits and attributes are
dropped, and everybody may read what there is.
"""

import errno
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_PIECE_BYTES = 1024 * 1024
_BLOCK_BYTES = 4096
_MOST_PARTS = 100
_MOST_PATH = 2048
"""In bytes: the whole path is longer, and has to stay one that the kernel takes."""

_HOSTILE = frozenset(
    {
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMLINK,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
    }
)
"""Errors of the disk that the files themselves cause, every time."""

_Parts = tuple[str, ...]


class UnpackError(Exception):
    """A tar that is not written; the message says why."""


def unpack(tar: Iterable[bytes], folder: Path, most: int) -> int:
    """Write what lies in the one folder that a tar holds; returns how many bytes of disk it took.

    The tar comes in pieces. Raises UnpackError where it takes more than ``most``, holds anything
    but files, folders and links, or never can be written, and OSError where the disk fails.
    """
    tree = _Tree(folder, most)
    with _refusals(), tarfile.open(fileobj=_Pieces(tar), mode="r|") as archive:
        for member in archive:
            tree.add(archive, member)
        tree.add_links()
    return tree.size


class _Pieces(io.RawIOBase):
    """Pieces as tarfile reads a stream, which takes more at a time than it asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = filter(None, pieces)

    def read(self, _size: int = -1, /) -> bytes:
        """Return the next piece; nothing at the end."""
        return next(self._pieces, b"")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise UnpackError(f"it is no tar: {error}") from error
    except OSError as error:
        if error.errno not in _HOSTILE:
            raise
        raise UnpackError(f"it cannot be written: {error.strerror}") from error


class _Tree:
    """What has been written: folders and files by the parts of their paths."""

    def __init__(self, root: Path, most: int) -> None:
        self._root = root
        self._most = most
        self._folders: set[_Parts] = {()}
        self._files: set[_Parts] = set()
        self._links: dict[_Parts, str] = {}
        self.size = 0
        root.chmod(0o755)

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = _inner(member.name)
        self._account(member.size if member.isreg() else 0)
        if member.isdir():
            self._make_folder(parts)
            return
        if not parts:
            raise UnpackError("it holds no folder")
        self._make_folder(parts[:-1])
        if member.isreg():
            self._write(archive, member, parts)
        elif member.islnk():
            self._write_again(_inner(member.linkname), parts)
        elif member.issym():
            self._links[parts] = member.linkname
        else:
            raise UnpackError(f"{member.name} is neither a file nor a folder nor a link")

    def add_links(self) -> None:
        """Make the symbolic links; where they lead is for those who see the folder."""
        for parts, target in self._links.items():
            self._path(parts).symlink_to(target)

    def _account(self, size: int) -> None:
        self.size += max(1, -(-size // _BLOCK_BYTES)) * _BLOCK_BYTES
        if self.size > self._most:
            raise UnpackError(f"it takes more than {self._most} bytes")

    def _make_folder(self, parts: _Parts) -> None:
        for length in range(1, len(parts) + 1):
            if parts[:length] not in self._folders:
                path = self._path(parts[:length])
                path.mkdir()
                path.chmod(0o755)
                self._folders.add(parts[:length])

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parts: _Parts) -> None:
        content = archive.extractfile(member)
        if content is None:
            raise UnpackError(f"{member.name} has no content")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(self._path(parts), flags, 0o600), "wb") as file:
            while piece := content.read(_PIECE_BYTES):
                file.write(piece)
            file.flush()
            os.fchmod(file.fileno(), 0o755 if member.mode & 0o111 else 0o644)
            os.utime(file.fileno(), (member.mtime, member.mtime))
        self._files.add(parts)

    def _write_again(self, first: _Parts, parts: _Parts) -> None:
        if first not in self._files:
            raise UnpackError(f"{'/'.join(parts)} is a link to what is not there")
        os.link(self._path(first), self._path(parts))
        self._files.add(parts)

    def _path(self, parts: _Parts) -> Path:
        return self._root.joinpath(*parts)


def _inner(name: str) -> _Parts:
    """Return the parts of a path below the tar's one folder; refuses one that leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UnpackError(f"it has an entry that leads out of it: {name!r}")
    if len(path.parts) > _MOST_PARTS or len(os.fsencode(name)) > _MOST_PATH:
        raise UnpackError(f"it has an entry that lies too deep: {name[:100]!r}...")
    return path.parts[1:]
