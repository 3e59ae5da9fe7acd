"""Archives as files in one folder: the embedded default."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from pratai_common.archives.base import Archives
from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.files import sync_folder

_SHA256 = re.compile("[0-9a-f]{64}")


class FilesystemArchives(Archives):
    """See Archives. ``root`` is made when the first archive is put."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, content: bytes) -> str:
        """See Archives. One that the disk damaged is written anew."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
                sync_folder(self._root)
            if not _holds(path, content):
                _write(path, content)
            # Also where another process wrote it: its name may not be on the disk yet.
            sync_folder(path.parent)
        except OSError as error:
            raise ArchivesUnavailableError(f"an archive cannot be written: {error}") from error
        return sha256

    def get(self, sha256: str) -> bytes:
        """See Archives. What a damaged disk changed counts as missing."""
        try:
            content = self._path(sha256).read_bytes()
        except OSError as error:
            raise ArchiveMissingError(sha256) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ArchiveMissingError(f"{sha256} is damaged")
        return content

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ArchiveMissingError(sha256)
        return self._root / sha256[:2] / sha256


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)
