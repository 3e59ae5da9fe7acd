"""Archives as files in one folder: the embedded default."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from pratai_common.archives.base import Archives
from pratai_common.errors import ArchiveMissingError
from pratai_common.files import sync_folder

_SHA256 = re.compile("[0-9a-f]{64}")


class FilesystemArchives(Archives):
    """See Archives. ``root`` is made when the first archive is put."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, content: bytes) -> str:
        """See Archives."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        if path.exists():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
        sync_folder(path.parent)
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
