"""Folders in folders, more of them than Python's stack has room for."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def deep_folders(root: Path) -> Iterator[Callable[[Path], None]]:
    """Yield what makes them in a folder below ``root``, of which nothing is left at the end."""
    try:
        yield _make
    finally:
        # pytest removes folders of tests as shutil does.
        subprocess.run(["rm", "-rf", str(root)], check=True)


def _make(folder: Path) -> None:
    before = Path.cwd()
    try:
        os.chdir(folder)
        for _each in range(sys.getrecursionlimit() + 100):
            os.mkdir("d")  # noqa: PTH102 - the whole path may be too long
            os.chdir("d")
    finally:
        os.chdir(before)
