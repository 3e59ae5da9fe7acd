"""Archives as files in one folder: the embedded default."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from oslo_config import cfg

from pratai_common.archives.base import Archives, named
from pratai_common.conf import state_path
from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.files import sync_folder
from pratai_common.node_urls import NodeUrls, node_url
from pratai_common.tokens import TokenKey


class FilesystemArchives(Archives):
    """See Archives. ``root`` is made when the first archive is put; the API gives archives out."""

    def __init__(self, root: Path, urls: NodeUrls) -> None:
        self._root = root
        self._urls = urls

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts, key: TokenKey) -> "FilesystemArchives":
        """See Archives."""
        return cls(state_path(conf, "archives"), NodeUrls(node_url(conf), key))

    def prepare(self) -> None:
        """See Archives. Nothing is needed."""

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

    def open(self, sha256: str) -> BinaryIO:
        """See Archives."""
        with _reading(sha256):
            return self._path(named(sha256)).open("rb")

    def _get(self, sha256: str) -> bytes:
        with _reading(sha256):
            return self._path(sha256).read_bytes()

    def url(self, sha256: str, expires: int) -> str:
        """See Archives."""
        return self._urls.archive(sha256, expires)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


@contextmanager
def _reading(sha256: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ArchiveMissingError(sha256) from error
    except OSError as error:
        raise ArchivesUnavailableError(f"an archive cannot be read: {error}") from error


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
