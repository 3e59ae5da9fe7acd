"""Makes the zip of a function that lies in a folder, as the client does where it uploads one
(``prataiclient/packing.py``): a test holds the two together.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pratai_common.errors import PackageError

_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can say: the same files are the same bytes."""

_MODE, _EXECUTABLE = 0o644, 0o755
_LEFT_OUT = frozenset({"__pycache__"})


def zip_of(folder: Path) -> bytes:
    """Return the zip of a folder, without hidden files and what Python puts beside the code; raises
    PackageError where there is nothing in it, and OSError.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files_of(folder)):
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), _OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (_EXECUTABLE if path.stat().st_mode & 0o100 else _MODE) << 16
            archive.writestr(entry, path.read_bytes())
        if not archive.namelist():
            raise PackageError(f"there are no files in {folder}")
    return buffer.getvalue()


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that are packed; no link to another folder is followed."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _LEFT_OUT:
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from files_of(path)
