"""Who does the jobs of a simulated node: no containers, but the product's own line of jobs."""

from collections.abc import Callable

from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.messages import AttemptMessage, Build, Job, Result
from pratai_common.records import Body
from pratai_drivers.line import Line
from pratai_drivers.spool import Key

OUTPUT = Body.inline(b"1")
LARGE = Body.inline(b'"' + b"x" * limits.REFERENCE_BODY_BYTES + b'"')
"""More than a message holds."""

_CLAIM = AttemptMessage.__struct_fields__


class SimulatedHands:
    """Jobs that begin as there is room, that end when a history says so, and are cleaned up later.

    Stands in for ``Slots``, which does the same with threads; ``takes`` is told of each job that is
    given to it, ``begins`` of each that begins.
    """

    def __init__(
        self,
        line: Line,
        clock: Callable[[], int],
        takes: Callable[[Job | Build], None],
        begins: Callable[[Job | Build], None],
    ) -> None:
        self._line = line
        self._clock = clock
        self._takes = takes
        self._begins = begins
        self._interrupted: dict[Key, Reason] = {}
        self.sound = True
        self.running: dict[Key, Job | Build] = {}
        self.cleaning: dict[Key, Job | Build] = {}

    def put(self, job: Job | Build) -> None:
        self._takes(job)
        self._line.join(job)
        self._begin()

    def interrupt(self, key: Key, reason: Reason, message: str) -> None:
        self._interrupted.setdefault(key, reason)

    @property
    def begun(self) -> list[Job | Build]:
        """Return the jobs that take capacity."""
        return [*self.running.values(), *self.cleaning.values()]

    def end(self, key: Key, reason: str | None, output: Body) -> Result:
        """Let the code of a job end; returns its result, which is still to be delivered."""
        job = self.running.pop(key)
        self.cleaning[key] = job
        reason = self._interrupted.get(key, reason)
        now = self._clock()
        return Result(
            **{name: getattr(job, name) for name in _CLAIM},
            ticket=job.ticket if isinstance(job, Job) else None,
            reason=reason,
            message=reason,
            output=output if reason is None and isinstance(job, Job) else None,
            started_at=now,
            finished_at=now,
        )

    def clean(self, key: Key, done: Callable[[Job | Build], None]) -> None:
        """Let a job that has ended give back what it took, and others begin."""
        job = self.cleaning.pop(key)
        self._interrupted.pop(key, None)
        self._line.leave(job)
        self._begin()
        done(job)

    def _begin(self) -> None:
        while (job := self._line.begin()) is not None:
            self.running[job.request_id, job.attempt] = job
            self._begins(job)
