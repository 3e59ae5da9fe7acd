"""A daemon as the world sees it: it acts at named points, and may die or stand still at each."""

from typing import Literal, NamedTuple, Protocol

from pratai_common.errors import StoreUnavailableError
from tests.simulation.coverage import Coverage

Kind = Literal["crash", "stop", "away"]


class Crash(BaseException):
    """The process dies here: nothing of it is done any more, nor is anything cleaned up."""


class Armed(NamedTuple):
    """What befalls a process at one of the points that it comes to: after so many others whose
    names begin with ``where``.
    """

    kind: Kind
    where: str
    after: int
    milliseconds: int = 0


class Surroundings(Protocol):
    """What a process stands in."""

    coverage: Coverage
    calm: bool

    def meanwhile(self, process: "Process", milliseconds: int) -> None:
        """Let the others go on, while a process stands still in the midst of what it does."""


class Process:
    """One start of a daemon. ``name`` is its address, ``role`` what it is.

    A point is a moment before or behind an effect: ``before change_requests``, ``send Stored``.
    """

    def __init__(
        self, name: str, role: str, start: int, armed: list[Armed], around: Surroundings
    ) -> None:
        self.name = name
        self.role = role
        self.identity = f"{name}.{start}"
        self.dead = False
        self.stopped_until = 0
        self._armed = armed
        self.stands_at: str | None = None
        self._around = around

    def at(self, point: str) -> None:
        """Come to a point; raises Crash, and StoreUnavailableError before and behind its calls."""
        if self.dead:
            raise Crash(self.identity)
        if self._around.calm:
            return
        coverage = self._around.coverage
        coverage.came[self.role, point] += 1
        fate = self._fate(point)
        if fate is None:
            return
        if fate.kind == "away":
            coverage.failed[self.role, point] += 1
            raise StoreUnavailableError(f"{point}: it is away")
        if fate.kind == "crash":
            coverage.crashed[self.role, point] += 1
            self.dead = True
            raise Crash(self.identity)
        if fate.kind == "stop" and self.stands_at is None:
            coverage.stopped[self.role, point] += 1
            self.stands_at = point
            try:
                self._around.meanwhile(self, fate.milliseconds)
            finally:
                self.stands_at = None

    def _fate(self, point: str) -> Armed | None:
        """Return what befalls the process here, if anything does."""
        for index, armed in enumerate(self._armed):
            if point.startswith(armed.where):
                if armed.after:
                    self._armed[index] = armed._replace(after=armed.after - 1)
                    continue
                del self._armed[index]
                return armed
        return None
