"""What dead nodes have left on this machine, found and removed by those that live.

A node holds a lock in its folder as long as its process lives, however that ends. So whoever can
take the lock of another node's folder knows that this one is dead, and while it holds the lock the
node cannot start again.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pratai_common.daemon import Stop
from pratai_common.errors import EngineError

LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.1


class NodeLock:
    """The lock of the node whose folder this is; a context manager that lets go of it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def take(self) -> bool:
        """Take the lock; ``False`` where another process has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, stop: Stop, seconds: float) -> bool:
        """Take the lock as soon as it is free; ``False`` if that takes too long, or stop asks."""
        ends = time.monotonic() + seconds
        while not self.take():
            if time.monotonic() >= ends or stop.wait(_PAUSE_SECONDS):
                return False
        return True

    def __enter__(self) -> "NodeLock":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


class Sweeper:
    """Looks for leftovers from ``start`` to ``stop``, in a thread of its own.

    ``sweep`` is given the names of dead nodes, and may raise EngineError: the next time comes.
    """

    def __init__(
        self, nodes: Path, own_name: str, sweep: Callable[[Sequence[str]], None], seconds: float
    ) -> None:
        self._nodes = nodes
        self._own_name = own_name
        self._sweep = sweep
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the sweep that is under way."""
        self._ended.set()
        self._thread.join()

    def once(self) -> None:
        """Remove what is left of nodes that are dead now."""
        with ExitStack() as held:
            dead = [
                folder.name
                for folder in sorted(self._nodes.iterdir())
                if folder.name != self._own_name and folder.is_dir() and _take(folder, held)
            ]
            self._sweep(dead)

    def _serve(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self.once()
            except (EngineError, OSError) as error:
                LOG.warning("what dead nodes have left could not be removed: %s", error)


def _take(folder: Path, held: ExitStack) -> bool:
    """Take the lock of a node's folder and hold it, if that can be done."""
    try:
        return held.enter_context(NodeLock(folder)).take()
    except OSError as error:
        LOG.warning("nobody can tell whether the node of %s lives: %s", folder, error)
        return False
