"""What a function's zip must be, checked before anything is kept of it.

Everything here reads hostile bytes: sizes are bounded before anything is unpacked, no name leads
out of the package, and the user's module is parsed, never run.
"""

import ast
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from pratai_common import limits
from pratai_common.errors import PackageError

MODULE = "new_module.py"
REQUIREMENTS = "requirements.txt"
_MAX_PATH = 1024
_MAX_NAME = 255
_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
)


class PackageFile(NamedTuple):
    """A file of a package: its path below the package's root, and its bytes."""

    path: str
    content: bytes
    executable: bool


def check(content: bytes) -> None:
    """Refuse what is no function's package; raises PackageError with the reason."""
    names = {}
    for file in files(content):
        names[file.path] = file.content if file.path == MODULE else b""
    if MODULE not in names:
        raise PackageError(f"the zip has no {MODULE} at its root")
    _check_module(names[MODULE])


def files(content: bytes) -> Iterator[PackageFile]:
    """Yield a package's files; raises PackageError where the zip is refused."""
    if len(content) > limits.MAX_ZIP_BYTES:
        raise PackageError(f"the zip is larger than {limits.MAX_ZIP_BYTES // limits.MIB} MiB")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _READ_ERRORS as error:
        raise PackageError(f"not a zip: {error}") from error
    with archive:
        entries = archive.infolist()
        _check_sizes(entries)
        for entry, path in _plain_files(entries):
            executable = bool(entry.external_attr >> 16 & stat.S_IXUSR)
            yield PackageFile(path, _read(archive, entry), executable)


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
        raise PackageError(f"the zip has more than {limits.MAX_ZIP_ENTRIES} entries")
    if sum(entry.file_size for entry in entries) > limits.MAX_UNPACKED_BYTES:
        raise PackageError(
            f"unpacked, the zip is larger than {limits.MAX_UNPACKED_BYTES // limits.MIB} MiB"
        )


def _safe_path(entry: zipfile.ZipInfo) -> str:
    """Return an entry's path; refuses one that leads elsewhere, and anything but plain files."""
    name = entry.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise PackageError(f"the zip has an entry that leads out of it: {name!r}")
    if len(name) > _MAX_PATH or any(len(part.encode()) > _MAX_NAME for part in path.parts):
        raise PackageError(f"the zip has an entry with too long a name: {name[:100]!r}...")
    if any(not part.isprintable() for part in path.parts):
        raise PackageError(f"the zip has an entry with an unprintable name: {name!r}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PackageError(f"the zip has an entry that is a link or no plain file: {name!r}")
    return str(path)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpack an entry, never further than the size it declares (which was checked)."""
    try:
        with archive.open(entry) as file:
            content = file.read(entry.file_size + 1)
    except _READ_ERRORS as error:
        raise PackageError(f"{entry.filename} cannot be unpacked: {error}") from error
    if len(content) != entry.file_size:
        raise PackageError(f"{entry.filename} is not of the size that the zip says")
    return content


def _check_module(source: bytes) -> None:
    if len(source) > limits.MAX_MODULE_BYTES:
        raise PackageError(f"{MODULE} is larger than {limits.MAX_MODULE_BYTES // limits.KIB} KiB")
    try:
        tree = ast.parse(source, filename=MODULE)
    except SyntaxError as error:
        raise PackageError(f"{MODULE}, line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise PackageError(f"{MODULE} cannot be parsed: {error}") from error
    if any(isinstance(node, ast.AsyncFunctionDef) and node.name == "main" for node in tree.body):
        raise PackageError(f"{MODULE}: main is a coroutine function; it must be a plain one")
    if not any(_defines_main(node) for node in tree.body):
        raise PackageError(f"{MODULE} defines no main(payload=None)")


def _defines_main(node: ast.stmt) -> bool:
    """Say whether a statement may bind ``main``; a star import, ``if`` or ``try`` may."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name == "main"
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any((name.asname or name.name) in ("main", "*") for name in node.names)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Name) and target.id == "main" for target in targets)
    return any(
        _defines_main(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)
    )
