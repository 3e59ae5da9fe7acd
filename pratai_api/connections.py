"""Who listens on a TCP port of this host, and who is connected to it: from /proc.

Processes of other users are seen by root alone.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_ESTABLISHED, _SYN_SENT, _CLOSE_WAIT, _LISTEN = "01", "02", "08", "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


class _Socket(NamedTuple):
    port: int
    remote_port: int
    state: str
    file: str


def connected(port: int, pids: set[int]) -> bool:
    """Say whether one of these processes is connected to a port, or about to be."""
    states = (_ESTABLISHED, _SYN_SENT, _CLOSE_WAIT)
    files = {each.file for each in _sockets() if each.remote_port == port and each.state in states}
    return any(files.intersection(_open_files(pid)) for pid in pids)


def listeners(port: int) -> set[int]:
    """Return the pids of the processes that hold a listening socket of a port."""
    files = {each.file for each in _sockets() if each.port == port and each.state == _LISTEN}
    return {pid for pid in _pids() if files.intersection(_open_files(pid))}


def children(pids: set[int]) -> set[int]:
    """Return the pids of what some processes have started."""
    return {pid for pid in _pids() if _parent(pid) in pids}


def without_children(pids: set[int]) -> set[int]:
    """Return those of some processes that none of the others has started."""
    return {pid for pid in pids if _parent(pid) not in pids}


def _sockets() -> Iterator[_Socket]:
    for table in _TABLES:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            words = line.split()
            port, remote_port = (int(word.rpartition(":")[2], 16) for word in words[1:3])
            yield _Socket(port, remote_port, words[3], f"socket:[{words[9]}]")


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _open_files(pid: int) -> Iterator[str]:
    """Yield what a process has open; it may end, or be somebody else's."""
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(path.readlink())


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return 0
