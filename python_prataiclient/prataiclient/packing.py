"""Makes the zip of a function that lies in a folder, as ``pratai-driver --once`` does for itself
(``pratai_drivers/packing.py``): a test holds the two together.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from prataiclient.errors import RefusedError

Package = bytes | str | os.PathLike[str]
"""A function's code: the bytes of a zip, the path of one, or that of a folder, which is packed."""

_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can say: the same files are the same bytes."""

_MODE, _EXECUTABLE = 0o644, 0o755
_LEFT_OUT = frozenset({"__pycache__"})


def zipped(package: Package) -> bytes:
    """Return the zip of a function's code; raises OSError, and what ``zip_of`` does."""
    if isinstance(package, bytes):
        return package
    path = Path(package)
    return zip_of(path) if path.is_dir() else path.read_bytes()


def zip_of(folder: Path) -> bytes:
    """Return the zip of a folder, without hidden files and what Python puts beside the code; raises
    RefusedError where there is nothing in it, and OSError.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(_files(folder)):
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), _OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (_EXECUTABLE if path.stat().st_mode & 0o100 else _MODE) << 16
            archive.writestr(entry, path.read_bytes())
        if not archive.namelist():
            raise RefusedError(f"there are no files in {folder}")
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and those below it; no link to another folder is followed."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _LEFT_OUT:
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from _files(path)
