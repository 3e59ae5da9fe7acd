"""What the kernel accounts for a container: by control groups of version 1 or 2.

They are looked at for each event, so a file that was found stays open until ``close``: to find and
open it again costs twenty times what it takes to read it.
"""

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

_READ_BYTES = 4096
_MEMORY = (
    "memory/docker/{id}",
    "memory/system.slice/docker-{id}.scope",
    "docker/{id}",
    "system.slice/docker-{id}.scope",
)
"""Folders of a container's control groups, made by Docker itself or by systemd."""

_CPU = tuple(each.replace("memory/", "cpuacct/") for each in _MEMORY)


class _Figure(NamedTuple):
    """A figure: in which folders it may be, and in files of which names, in version 1 and 2.

    ``key`` is that of its line, where a file of version 1, or of 2, has several.
    """

    folders: tuple[str, ...]
    names: tuple[str, str]
    keys: tuple[str | None, str | None] = (None, None)


_PEAK_MEMORY = _Figure(_MEMORY, ("memory.max_usage_in_bytes", "memory.peak"))
_OOM_KILLS = _Figure(_MEMORY, ("memory.oom_control", "memory.events"), ("oom_kill", "oom_kill"))
_CPU_TIME = _Figure(_CPU, ("cpuacct.usage", "cpu.stat"), (None, "usage_usec"))
_CPU_UNITS = (1e9, 1e6)
"""In a second."""


class ControlGroups:
    """Those of one container, below the folder ``root``. Used by one thread at a time."""

    def __init__(self, container_id: str, root: Path = Path("/sys/fs/cgroup")) -> None:
        self._id = container_id
        self._root = root
        self._files: dict[_Figure, tuple[FileIO, int]] = {}
        self._closed = False

    def peak_memory(self) -> int | None:
        """Return the most memory that it ever had, in bytes, ``None`` where that is not told."""
        read = self._read(_PEAK_MEMORY)
        return None if read is None else read[0]

    def oom_kills(self) -> int:
        """Return how many of its processes were killed for want of memory, as far as is told."""
        read = self._read(_OOM_KILLS)
        return 0 if read is None else read[0]

    def cpu_seconds(self) -> float | None:
        """Return what it has used of processors, ``None`` where that is not told."""
        read = self._read(_CPU_TIME)
        return None if read is None else read[0] / _CPU_UNITS[read[1]]

    def close(self) -> None:
        """Free what is open; from then on nothing is told."""
        self._closed = True
        for file, _ in self._files.values():
            file.close()
        self._files.clear()

    def _read(self, figure: _Figure) -> tuple[int, int] | None:
        """Return a figure, and by which version, 0 or 1, of control groups."""
        with suppress(OSError, ValueError, KeyError):
            file, version = self._file(figure)
            text = os.pread(file.fileno(), _READ_BYTES, 0).decode()
            key = figure.keys[version]
            if key is not None:
                text = dict(line.split(" ", 1) for line in text.splitlines())[key]
            return int(text), version
        return None

    def _file(self, figure: _Figure) -> tuple[FileIO, int]:
        """Return the open file of a figure; raises OSError where there is none."""
        if figure not in self._files:
            if self._closed:
                raise FileNotFoundError(self._id)
            self._files[figure] = self._opened(figure)
        return self._files[figure]

    def _opened(self, figure: _Figure) -> tuple[FileIO, int]:
        for folder in figure.folders:
            for version, name in enumerate(figure.names):
                with suppress(FileNotFoundError):
                    return FileIO(self._root / folder.format(id=self._id) / name), version
        raise FileNotFoundError(self._id)
