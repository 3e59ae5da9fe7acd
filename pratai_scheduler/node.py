"""A node as the scheduler sees it: what it said last, and what it was given. Pure."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pratai_common.messages import NodeState

Attempted = tuple[str, int]
"""A request's id and the number of its attempt."""

MOST_SPOOLED = 5000
"""A node with so many results that no collector has taken gets no more jobs: each stands in its
heartbeat, which has to fit into a message."""


class Want(NamedTuple):
    """What a job wants of its node: memory in MB, and whether its function is to be given anything
    beside its code.
    """

    memory: int
    provisions: bool = False


@dataclass(slots=True)
class Reserved:
    """What a job takes of a node: memory in MB, since when, and until when the node may take it.
    ``project_id`` is whose run it is, empty for a build and for what is none any more.
    """

    function_id: str
    memory: int
    since: int
    take_by: int | None = None
    project_id: str = ""


@dataclass(eq=False, slots=True)
class Node:
    """A node as the scheduler sees it. Times are milliseconds, memory is MB. Its lease runs from
    ``seen_at`` on; ``heard_at`` is when it said ``state``.

    ``runs`` counts the runs of each function on all nodes, ``projects`` those of each project;
    ``holders`` says which node has a job.
    """

    state: NodeState
    seen_at: int
    runs: Counter[str]
    holders: dict[Attempted, "Node"]
    reserved: dict[Attempted, Reserved] = field(default_factory=dict)
    reserved_memory: int = 0
    spooled: frozenset[Attempted] = frozenset()
    heard_at: int = 0
    projects: Counter[str] = field(default_factory=Counter)

    @property
    def able(self) -> bool:
        """Say whether it takes jobs: not while it drains, or keeps too many results."""
        return not self.state.draining and len(self.spooled) < MOST_SPOOLED

    @property
    def open_slots(self) -> int:
        """Return how many more jobs it takes."""
        return max(0, self.state.slots - len(self.reserved)) if self.able else 0

    @property
    def free_memory(self) -> int:
        """Return the memory that no job has."""
        return self.state.memory - self.reserved_memory

    def could_have(self, want: Want) -> bool:
        """Say whether it has what a job wants, or will have it when other jobs have ended."""
        gives = self.state.provisions or not want.provisions
        return gives and self.state.memory >= want.memory

    def has(self, want: Want) -> bool:
        """Say whether it has what a job wants now."""
        return self.could_have(want) and self.free_memory >= want.memory

    def holds(self, job: Attempted) -> bool:
        """Say whether it runs a job or keeps its result."""
        return job in self.reserved or job in self.spooled

    def reserve(
        self,
        job: Attempted,
        function_id: str,
        memory: int,
        now: int,
        take_by: int | None = None,
        project_id: str = "",
    ) -> None:
        """Give a job its part of the node; one that has a part already gets this one instead."""
        self.release(job)
        self.reserved[job] = Reserved(function_id, memory, now, take_by, project_id)
        self.reserved_memory += memory
        self.runs[function_id] += 1
        self.projects[project_id] += 1
        self._has(job)

    def runs_job(
        self,
        job: Attempted,
        function_id: str,
        memory_of: Callable[[str], int],
        owner_of: Callable[[str], str],
        now: int,
    ) -> None:
        """Note that the node has a job, where it was not given from here, or nothing could be told
        of it before.
        """
        if job not in self.reserved:
            owner = owner_of(function_id)
            self.reserve(job, function_id, memory_of(function_id), now, project_id=owner)
        elif self.to_learn(job) and (owner := owner_of(function_id)):
            since, take_by = self.reserved[job].since, self.reserved[job].take_by
            self.reserve(job, function_id, memory_of(function_id), since, take_by, owner)

    def to_learn(self, job: Attempted) -> bool:
        """Say whether nothing is known of a job that the node says it has: neither was it given
        from here, nor could it be looked up so far.
        """
        reserved = self.reserved.get(job)
        return reserved is None or bool(reserved.function_id and not reserved.project_id)

    def release(self, job: Attempted) -> None:
        """Take back what a job had, if it had anything."""
        reserved = self.reserved.pop(job, None)
        if reserved is None:
            return
        self.reserved_memory -= reserved.memory
        _less(self.runs, reserved.function_id)
        _less(self.projects, reserved.project_id)
        self._let_go(job)

    def take_by(self, job: Attempted) -> int | None:
        """Return until when the node may take a job that has its part, by the node's clock."""
        reserved = self.reserved.get(job)
        return None if reserved is None else reserved.take_by

    def ended(self, job: Attempted) -> str:
        """Count a job as a run no longer; returns the function it was a run of, if it was one."""
        reserved = self.reserved[job]
        self.reserve(job, "", reserved.memory, reserved.since, reserved.take_by)
        return reserved.function_id

    def keeps(self, results: frozenset[Attempted]) -> None:
        """Note which results the node keeps."""
        former, self.spooled = self.spooled, results
        for job in former - results:
            self._let_go(job)
        for job in results:
            self._has(job)

    def _has(self, job: Attempted) -> None:
        """Note that a job is here; whatever a node says, not of one that another has."""
        holder = self.holders.get(job)
        if holder is None or not holder.holds(job):
            self.holders[job] = self

    def _let_go(self, job: Attempted) -> None:
        if not self.holds(job) and self.holders.get(job) is self:
            del self.holders[job]


def _less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
