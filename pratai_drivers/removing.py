"""Folders of hostile files are removed, however deep they are."""

import os
from contextlib import suppress
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays.

    ``shutil.rmtree`` goes into itself for each folder in a folder, and fails at a thousand.
    """
    if folder.is_symlink():
        return
    folders = [folder]
    for each in folders:  # grows meanwhile
        with suppress(OSError), os.scandir(each) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    with suppress(OSError):
                        Path(entry.path).unlink()
    for each in reversed(folders):
        with suppress(OSError):
            each.rmdir()
