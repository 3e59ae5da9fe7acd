"""A node's disk: what is removed may be there again after a loss of power, and it can be full."""

import errno

from pratai_common.messages import MessageDecoder, Result
from pratai_drivers.journal import entries
from pratai_drivers.spool import Key
from tests.simulation.process import Process

_RESULTS: MessageDecoder[Result] = MessageDecoder(Result)


class SimulatedDisk:
    """A ``Disk`` that outlives the processes which use it; ``process`` is the one that does."""

    def __init__(self) -> None:
        self.process: Process
        self.full = False
        self._files: dict[str, bytes] = {}
        self._synced: dict[str, bytes] = {}
        self._unsynced: set[str] = set()

    def names(self) -> list[str]:
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        try:
            return self._files[name]
        except KeyError as error:
            raise FileNotFoundError(errno.ENOENT, "No such file", name) from error

    def append(self, name: str, content: bytes) -> int:
        self.process.at("before disk write")
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device", name)
        before = self._files.get(name, b"")
        self._files[name] = before + content
        self._unsynced.add(name)
        self.process.at("after disk write")
        return len(before)

    def write(self, name: str, content: bytes) -> None:
        self.process.at("before disk write")
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device", name)
        self._files[name] = content
        self.sync()
        self.process.at("after disk write")

    def rename(self, name: str, new: str) -> None:
        self._files[new] = self._files.pop(name)

    def remove(self, name: str) -> None:
        self._files.pop(name, None)
        self.process.at("after disk remove")

    def sync(self) -> None:
        self._synced = {
            name: content for name, content in self._files.items() if name not in self._unsynced
        }

    def lose_power(self) -> bool:
        """Lose what was not synced; says whether that was anything."""
        lost = self._files != self._synced
        self._files = dict(self._synced)
        self._unsynced.clear()
        return lost

    def journaled(self) -> set[Key]:
        """Return the results that stand in journals."""
        contents = [content for name, content in self._files.items() if name.endswith(".journal")]
        found = (_RESULTS.decode([each]) for content in contents for _, each in entries(content))
        return {(result.request_id, result.attempt) for result in found}
