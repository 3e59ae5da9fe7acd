"""How many builds are out: what waits for a build's place takes no slot from runs."""

from pratai_scheduler.node import Attempted
from pratai_scheduler.nodes import Nodes


class BuildPlaces:
    """At most ``each`` builds are given out for each node that lives. Nodes see to it that none of
    them does more, so builds that were given by a former scheduler are not counted here.
    """

    def __init__(self, nodes: Nodes, each: int) -> None:
        self._nodes = nodes
        self._each = each
        self._out: set[Attempted] = set()
        self._waiting: dict[str, None] = {}

    def free(self) -> bool:
        """Say whether one more may be given out."""
        most = self._each * self._nodes.number
        if len(self._out) >= most:
            self._out = {job for job in self._out if self._nodes.holder(job) is not None}
        return len(self._out) < most

    def wait(self, function_id: str) -> None:
        """Note that a function's build waits for a place."""
        self._waiting[function_id] = None

    def first_waiting(self) -> str | None:
        """Return the function whose build has waited longest, and forget it."""
        function_id = next(iter(self._waiting), None)
        if function_id is not None:
            del self._waiting[function_id]
        return function_id

    def took(self, job: Attempted) -> None:
        """Note that a build was given out; that it is no longer, ``nodes`` know."""
        self._out.add(job)
