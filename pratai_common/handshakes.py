"""How often a node may connect. Pure: the clock comes in as an argument.

libzmq takes as many connections of a key as there are descriptors, and each may fill a queue. An
honest node connects once for each of its threads, and again when the network was cut.
"""

from collections import Counter
from collections.abc import Callable

BURST = 100
A_SECOND = 10


class Handshakes:
    """Counts connections by who made them: ``BURST`` at once, and then ``A_SECOND``.

    Used by one thread. ``clock`` is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._taken: Counter[str] = Counter()

    def take(self, name: str) -> bool:
        """Count a connection; ``False`` where it is one too many."""
        given_back = int((self._clock() - self._since) * A_SECOND)
        if given_back:
            self._since += given_back / A_SECOND
            # What is not above 0 then is forgotten.
            self._taken -= Counter(dict.fromkeys(self._taken, given_back))
        if self._taken[name] >= BURST:
            return False
        self._taken[name] += 1
        return True
