"""Files as the Docker Engine takes them: for containers, and as the context of a build."""

import io
import tarfile
from collections.abc import Iterable

from pratai_common.package import PackageFile


def packed(files: Iterable[PackageFile]) -> bytes:
    """Pack files with nothing in them but paths, bytes and whether they may be executed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size = len(file.content)
            entry.mode = 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()
