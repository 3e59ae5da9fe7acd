"""What a function's zip must be, checked before anything is kept of it.

Everything here reads hostile bytes: sizes are bounded before anything is unpacked, no name leads
out of the package, and what a language reads of it (``languages.py``) is parsed, never run. Files
are stored or deflated, as all tools make them: of what is packed by bzip2 or LZMA, zipfile unpacks
as much as there is. A check holds those texts alone, and of everything else a block at a time.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from pratai_common import limits
from pratai_common.errors import PackageError
from pratai_common.languages import Language

_BLOCK_BYTES = 64 * limits.KIB
_MAX_PATH = 1024
_MAX_NAME = 255
"""In bytes, as file systems count."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENTRY_MARK = b"PK\1\2"
_MAX_MARKS = 10 * limits.MAX_ZIP_ENTRIES
"""Each entry begins with one in the zip's list, which is read as a whole. Zips in the zip, such as
wheels, have theirs, too: by far not so many."""

_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
)


class PackageFile(NamedTuple):
    """A file of a package: its path below the package's root, and its bytes."""

    path: str
    content: bytes
    executable: bool


def check(content: bytes, language: Language) -> None:
    """Refuse what is no function's package in its language; raises PackageError with the reason."""
    paths: set[str] = set()
    texts: dict[str, bytes] = {}
    for archive, entry, path in _entries(content):
        paths.add(path)
        if path in language.texts:
            texts[path] = _text(archive, entry)
        else:
            for _ in _blocks(archive, entry):
                pass  # it can be unpacked
    language.check(paths, texts)


def files(content: bytes) -> Iterator[PackageFile]:
    """Yield a package's files; raises PackageError where the zip is refused."""
    for archive, entry, path in _entries(content):
        executable = bool(entry.external_attr >> 16 & stat.S_IXUSR)
        yield PackageFile(path, b"".join(_blocks(archive, entry)), executable)


def _entries(content: bytes) -> Iterator[tuple[zipfile.ZipFile, zipfile.ZipInfo, str]]:
    """Yield the entries that are files, with the open zip and their paths; none is unpacked."""
    if len(content) > limits.MAX_ZIP_BYTES:
        raise PackageError(f"the zip is larger than {limits.MAX_ZIP_BYTES // limits.MIB} MiB")
    if content.count(_ENTRY_MARK) > _MAX_MARKS:
        raise _too_many_entries()
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _READ_ERRORS as error:
        raise PackageError(f"not a zip: {error}") from error
    with archive:
        entries = archive.infolist()
        _check_sizes(entries)
        for entry, path in _plain_files(entries):
            yield archive, entry, path


def _plain_files(entries: list[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, str]]:
    """Return the entries that are files with their paths; refuses what cannot lie in a folder."""
    paths: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for entry in entries:
        path = _safe_path(entry)
        folders.update(str(parent) for parent in PurePosixPath(path).parents)
        if entry.is_dir():
            folders.add(path)
        elif path in paths:
            raise PackageError(f"{path} stands in the zip twice")
        else:
            paths[path] = entry
    for path in sorted(folders & paths.keys()):
        raise PackageError(f"{path} stands in the zip as a file and as a folder")
    return [(entry, path) for path, entry in paths.items()]


def _check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > limits.MAX_ZIP_ENTRIES:
        raise _too_many_entries()
    if sum(entry.file_size for entry in entries) > limits.MAX_UNPACKED_BYTES:
        raise PackageError(
            f"unpacked, the zip is larger than {limits.MAX_UNPACKED_BYTES // limits.MIB} MiB"
        )


def _too_many_entries() -> PackageError:
    return PackageError(f"the zip has more than {limits.MAX_ZIP_ENTRIES} entries")


def _safe_path(entry: zipfile.ZipInfo) -> str:
    """Return an entry's path; refuses one that leads elsewhere, and anything but plain files."""
    name = entry.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise PackageError(f"the zip has an entry that leads out of it: {name!r}")
    if len(name.encode()) > _MAX_PATH or any(len(part.encode()) > _MAX_NAME for part in path.parts):
        raise PackageError(f"the zip has an entry with too long a name: {name[:100]!r}...")
    if any(not part.isprintable() for part in path.parts):
        raise PackageError(f"the zip has an entry with an unprintable name: {name!r}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PackageError(f"the zip has an entry that is a link or no plain file: {name!r}")
    return str(path)


def _text(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    most = limits.MAX_MODULE_BYTES
    if entry.file_size > most:
        raise PackageError(f"{entry.filename} is larger than {most // limits.KIB} KiB")
    return b"".join(_blocks(archive, entry))


def _blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpack an entry, never further than the size it declares (which was checked)."""
    if entry.compress_type not in _METHODS:
        raise PackageError(f"{entry.filename} is packed in another way than by deflate")
    left = entry.file_size
    try:
        with archive.open(entry) as file:
            # One byte more than there should be: the end is where the checksum is looked at.
            while block := file.read(min(left + 1, _BLOCK_BYTES)):
                left -= len(block)
                if left < 0:
                    break
                yield block
    except _READ_ERRORS as error:
        raise PackageError(f"{entry.filename} cannot be unpacked: {error}") from error
    if left:
        raise PackageError(f"{entry.filename} is not of the size that the zip says")
