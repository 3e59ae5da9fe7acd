"""Containers that have answered and will have a next event in a moment.

A caller who calls again at once is often quicker than its container, which says only after its
answer that it waits. To wait for that is cheaper than to start another one.
"""

import threading
from collections import Counter
from collections.abc import Callable

from pratai_drivers.fit import Fit
from pratai_drivers.warm import Warm

PATIENCE_SECONDS = 0.05
"""How long an event waits: less than the start of a container takes."""


class Settling:
    """See the module. All is done while ``lock`` is held; ``wait`` lets go of it meanwhile."""

    def __init__(self, lock: threading.RLock) -> None:
        self._ended = threading.Condition(lock)
        self._settling: set[Warm] = set()
        self._waiting: Counter[Fit] = Counter()

    def begins(self, warm: Warm) -> None:
        """Note that a container answers, and may have another event then."""
        self._settling.add(warm)

    def ends(self, warm: Warm) -> None:
        """Note that it waits, or will have none."""
        if warm in self._settling:
            self._settling.remove(warm)
            self._ended.notify_all()

    def wait(self, fit: Fit, there: Callable[[], bool]) -> None:
        """Wait for one that is for such an event, unless others wait for all of these already."""
        if self._waiting[fit] >= self._count(fit):
            return
        self._waiting[fit] += 1
        try:
            self._ended.wait_for(lambda: there() or not self._count(fit), PATIENCE_SECONDS)
        finally:
            self._waiting[fit] -= 1

    def _count(self, fit: Fit) -> int:
        return sum(warm.fit == fit for warm in self._settling)
