"""Nodes that are only said to be there."""

from pratai_common.messages import NodeState

SIZES = (10, 100, 1_000, 10_000)
"""How many."""

SLOTS = 4
JOB_MEMORY = 128
MEMORY = SLOTS * JOB_MEMORY
INSTANCE = "i"


def states(count: int) -> list[NodeState]:
    """Return what so many nodes say of themselves."""
    return [
        NodeState(
            node=f"node-{number}",
            instance=INSTANCE,
            address=f"node-{number}",
            ip="127.0.0.1",
            pid=number,
            version="1",
            joined_at=0,
            slots=SLOTS,
            memory=MEMORY,
            runtimes={"python3": "image"},
        )
        for number in range(count)
    ]
