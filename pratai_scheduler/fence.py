"""What the words of a node prove of jobs that it does not have. Pure.

A job may be long on its way, and may be of a scheduler that acts no longer. So that it never runs
when it has been given to another node:

* A node takes nothing of a lower epoch than it has been told, and its words say which that is.
  Whoever acts tells all nodes its epoch, and gives work to those that say it.
* A job has to be taken by a time of the node's own clock: so long after the words upon which it was
  sent. Those words were heard before the node's lease began to run out, so that a job is void when
  the lease has ended, and nobody's clock needs to be right.

Nodes of a release that knows neither are believed as they were by that.
"""

from pratai_common.messages import NodeState


class Fence:
    """How one scheduler judges nodes. ``epoch`` is the one that it acts by, 0 while it does not.

    ``lease_ms`` is that of a node. A job is void ``void_ms`` after the words that it was sent upon.
    """

    def __init__(self, lease_ms: int, adopt_ms: int) -> None:
        self.epoch = 0
        self._lease_ms = lease_ms
        self._silent: dict[str, int] = {}
        self.void_ms = min(adopt_ms, lease_ms * 9 // 10)

    @property
    def longest_silence_ms(self) -> int:
        """Return for how long after its words a node is given jobs: it has to speak as often."""
        return self.void_ms * 2 // 3

    def obeyed(self, state: NodeState) -> bool:
        """Say whether a node takes nothing of former schedulers, and what it says is new."""
        return not self.epoch or state.epoch is None or state.epoch == self.epoch

    def lead(self, epoch: int) -> None:
        """Judge by another epoch: whoever had that may have heard nodes that were silent here, and
        given them work.
        """
        self.epoch = epoch
        self._silent.clear()

    def fell_silent(self, state: NodeState, now: int) -> None:
        """Note that a node was silent for its lease. Whatever it was given is void then, which is
        of use until that is a lease old.
        """
        for name in [each for each, at in self._silent.items() if now - at > self._lease_ms]:
            del self._silent[name]
        if state.clock is not None:
            self._silent[state.node] = now

    def heard(self, name: str) -> None:
        """Note that a node speaks."""
        self._silent.pop(name, None)

    def silent(self, name: str) -> bool:
        """Say whether a node fell silent, and was not heard since."""
        return name in self._silent

    def take_by(self, state: NodeState) -> int | None:
        """Return until when a node may take a job that is sent upon these words."""
        return None if state.clock is None else state.clock + self.void_ms

    def recent(self, state: NodeState, heard_at: int, now: int) -> bool:
        """Say whether a job sent upon these words would come in time: a third is for the way."""
        return state.clock is None or now - heard_at <= self.longest_silence_ms

    def never_taken(self, state: NodeState, take_by: int | None) -> bool | None:
        """Say whether a node that does not have a job by these words never will; ``None`` where
        they prove nothing.
        """
        if state.clock is None or take_by is None:
            return None
        return state.clock > take_by
