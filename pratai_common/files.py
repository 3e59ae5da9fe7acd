"""Files that must survive power loss."""

import os
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that after a crash it is there whole, or not at all; raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def remove_unwritten(folder: Path) -> None:
    """Remove what ``write_durably`` had begun in a folder when its process was killed; raises
    OSError. For a folder that no other process writes to.
    """
    for temporary in folder.glob(".*.new"):
        temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: a renamed file is safe only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
