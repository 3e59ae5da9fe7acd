"""Whether the node can work: its engine answers, its disk takes results, archives can be fetched.
If not, it takes no jobs.

Without this such a node would fail one job after the other, always with room for the next, and use
up in a second what attempts a request has.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from pratai_common.errors import EngineError, TransferError

LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0


class Health:
    """``checks`` raise EngineError, TransferError or OSError where something is amiss;
    ``on_change`` is called each time that ``sound`` is another. May be used from many threads.
    """

    def __init__(
        self, checks: Sequence[Callable[[], None]], pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        self._checks = checks
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.sound = True
        self.on_change: Callable[[], None] = lambda: None

    def suspect(self) -> None:
        """Find out whether the node can still work, after it failed at something.

        A job alone, whatever it does, is no reason to take no others.
        """
        with self._lock:
            if not self.sound or self._passes():
                return
            self.sound = False
        self.on_change()
        threading.Thread(target=self._await, name="health", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def _await(self) -> None:
        while not self._ended.wait(self._pause_seconds):
            if self._passes():
                LOG.warning("the node can work again")
                self.sound = True
                self.on_change()
                return

    def _passes(self) -> bool:
        try:
            for check in self._checks:
                check()
        except (EngineError, TransferError, OSError) as error:
            LOG.warning("the node takes no jobs for now: %s", error)
            return False
        return True
