"""The jobs of a node in the order in which they came, and which may begin. Pure.

The scheduler gives no more than there is room for, as far as it knows: a job that was long on its
way, or that a former scheduler gave, may come when the room is another's. It waits for its turn.
"""

from collections import deque

from pratai_common.messages import Build, Job


class Line:
    """At most ``slots`` jobs at a time have begun, and what they take is at most ``memory`` MB.

    A build takes ``build_memory``, and at most ``builds`` of them have begun: one more lets runs
    pass. A job that alone takes more begins when no other runs.
    """

    def __init__(self, slots: int, memory: int, build_memory: int, builds: int) -> None:
        self._slots = slots
        self._memory = memory
        self._build_memory = build_memory
        self._builds = builds
        self._waiting: deque[Job | Build] = deque()
        self._begun: list[Job | Build] = []
        self.claimed = 0

    def join(self, job: Job | Build) -> None:
        """Put a job behind the others."""
        self._waiting.append(job)

    def begin(self) -> Job | Build | None:
        """Return the first job, which has begun by that; ``None`` where it has to wait."""
        building = sum(isinstance(each, Build) for each in self._begun)
        held = building >= self._builds
        may = (each for each in self._waiting if not (held and isinstance(each, Build)))
        job = next(may, None)
        if job is None or not self._fits(job):
            return None
        self._waiting.remove(job)
        self._begun.append(job)
        self.claimed += self._takes(job)
        return job

    def leave(self, job: Job | Build) -> None:
        """Give back what a job took that had begun."""
        self._begun.remove(job)
        self.claimed -= self._takes(job)

    def _fits(self, job: Job | Build) -> bool:
        if not self._begun:
            return True
        room = self._memory - self.claimed
        return len(self._begun) < self._slots and self._takes(job) <= room

    def _takes(self, job: Job | Build) -> int:
        return job.memory if isinstance(job, Job) else self._build_memory
