"""How much of a pool's memory each project may take where others want it, too. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from pratai_drivers.fit import Fit


class Shares(NamedTuple):
    """``each`` is what a project may take, ``taken`` what projects' spares do take; in MB."""

    each: int
    taken: Mapping[str, int]

    def within(self, fit: Fit, more: int = 0) -> bool:
        """Say whether what a function's project takes, and so much more, is within its share."""
        return self.taken.get(fit.project_id, 0) + more <= self.each
