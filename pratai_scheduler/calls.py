"""Synchronous calls that nodes have. Pure: they are in no store, so this is all that is known.

A scheduler that is restarted, or no longer acts, forgets them; nodes and collectors do not need it
to answer them.
"""

from typing import NamedTuple

from pratai_common.records import Request
from pratai_scheduler.node import Attempted
from pratai_scheduler.nodes import Nodes


class _Out(NamedTuple):
    request: Request
    node: str
    since: int


class Calls:
    """See the module. Times are milliseconds."""

    def __init__(self) -> None:
        self._out: dict[Attempted, _Out] = {}

    def went(self, job: Attempted, request: Request, node: str, now: int) -> None:
        """Note that a call went to a node."""
        self._out[job] = _Out(request, node, now)

    def ended(self, job: Attempted, node: str) -> None:
        """Note that a node is done with a call, if it has one by that name."""
        out = self._out.get(job)
        if out is not None and out.node == node:
            del self._out[job]

    def clear(self) -> None:
        """Forget all of them."""
        self._out.clear()

    def of(self, function_id: str) -> list[str]:
        """Return the request ids of a function's calls."""
        return [
            id_ for (id_, _), out in self._out.items() if out.request.function_id == function_id
        ]

    def lost(self, nodes: Nodes, adopt_ms: int, now: int) -> list[Request]:
        """Return, and forget, the calls whose nodes are gone or know nothing of them."""
        gone = [
            job
            for job, out in self._out.items()
            if not nodes.holds(out.node, job)
            and (nodes.get(out.node) is None or now - out.since > adopt_ms)
        ]
        return [self._out.pop(job).request for job in gone]
