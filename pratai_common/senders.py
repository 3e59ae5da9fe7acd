"""Who the daemons are to one another, and what each of them may say: the one table. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from pratai_common.messages import (
    Answer,
    Build,
    Bye,
    Cancel,
    Done,
    Drain,
    Ended,
    FunctionChanged,
    Heartbeat,
    Hello,
    Job,
    Lead,
    LogPiece,
    Message,
    Result,
    Stored,
    Submitted,
)


class Role(StrEnum):
    """What a daemon is. The daemons of a role share one key pair; each node has its own."""

    SCHEDULER = "scheduler"
    COLLECTOR = "collector"
    API = "api"
    AGENT = "agent"
    NODE = "node"


CONTROL_PLANE = (Role.SCHEDULER, Role.COLLECTOR, Role.API, Role.AGENT)


class Identity(NamedTuple):
    """Whose key it is: that of a role of the control plane, or of the node of this name."""

    role: Role
    name: str = ""

    def __str__(self) -> str:
        return f"{self.role} {self.name}".rstrip()


_API = frozenset({Role.API})
_NODE = frozenset({Role.NODE})
_SCHEDULER = frozenset({Role.SCHEDULER})
_COLLECTOR = frozenset({Role.COLLECTOR})

MAY_SAY: Mapping[Role, Mapping[type[Message], frozenset[Role]]] = {
    Role.SCHEDULER: {
        Submitted: frozenset({Role.API, Role.AGENT, Role.COLLECTOR}),
        Cancel: _API,
        FunctionChanged: _API | _COLLECTOR,
        Hello: _NODE,
        Heartbeat: _NODE,
        Ended: _NODE,
        Done: _NODE,
        Bye: _NODE,
    },
    Role.COLLECTOR: {
        Result: _NODE | _SCHEDULER,
        LogPiece: _NODE,
        Heartbeat: _NODE,
        Bye: _NODE,
    },
    Role.NODE: {
        Job: _SCHEDULER,
        Build: _SCHEDULER,
        Cancel: _SCHEDULER,
        Drain: _SCHEDULER,
        FunctionChanged: _SCHEDULER,
        Lead: _SCHEDULER,
        Stored: _COLLECTOR,
    },
    Role.API: {Answer: _COLLECTOR | _SCHEDULER},
}
"""By the role whose inlet it is: of each message that it takes, the roles that may send it."""


def may_connect(inlet: Role, sender: Identity) -> bool:
    """Say whether there is anything that a sender may say to an inlet."""
    return any(sender.role in roles for roles in MAY_SAY[inlet].values())


def may_say(inlet: Role, message: Message, sender: Identity) -> bool:
    """Say whether an inlet takes a message from a sender.

    A node speaks for itself alone. Of the control plane, none speaks for a node: a verdict of the
    scheduler is a ``Result`` of no node.
    """
    roles = MAY_SAY[inlet].get(type(message), frozenset())
    return sender.role in roles and speaker(message) == sender.name


def speaker(message: Message) -> str:
    """Return the name of the node that a message says it is from, empty for one from none."""
    if isinstance(message, Hello | Heartbeat):
        return message.state.node
    if isinstance(message, Bye | Ended | Done | Result | LogPiece):
        return message.node
    return ""
