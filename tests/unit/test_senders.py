"""Who may say what: each message, to each inlet, from each role."""

import itertools
from typing import Any, get_args

import pytest

from pratai_common.messages import (
    Answer,
    CollectorMessage,
    Message,
    NodeMessage,
    Result,
    SchedulerMessage,
)
from pratai_common.senders import MAY_SAY, Identity, Role, may_connect, may_say, speaker
from tests.unit.test_messages import ONE_OF_EACH

INLETS: dict[Role, Any] = {
    Role.SCHEDULER: SchedulerMessage,
    Role.COLLECTOR: CollectorMessage,
    Role.NODE: NodeMessage,
    Role.API: Answer,
}
CONTROL = {
    (Role.SCHEDULER, "Submitted"): {Role.API, Role.AGENT, Role.COLLECTOR},
    (Role.SCHEDULER, "Cancel"): {Role.API},
    (Role.SCHEDULER, "FunctionChanged"): {Role.API, Role.COLLECTOR},
    (Role.COLLECTOR, "Result"): {Role.SCHEDULER},  # of what never ran: no node's
    (Role.NODE, "Job"): {Role.SCHEDULER},
    (Role.NODE, "Build"): {Role.SCHEDULER},
    (Role.NODE, "Cancel"): {Role.SCHEDULER},
    (Role.NODE, "Drain"): {Role.SCHEDULER},
    (Role.NODE, "FunctionChanged"): {Role.SCHEDULER},
    (Role.NODE, "Lead"): {Role.SCHEDULER},
    (Role.NODE, "Stored"): {Role.COLLECTOR},
    (Role.API, "Answer"): {Role.COLLECTOR, Role.SCHEDULER},
}
"""What the control plane may say; of all else it may say nothing."""

OF_NODES = {(Role.SCHEDULER, name) for name in ("Hello", "Heartbeat", "Ended", "Done", "Bye")} | {
    (Role.COLLECTOR, name) for name in ("Result", "LogChunk", "Heartbeat", "Bye")
}
"""What a node may say, of itself."""

MESSAGES = {type(each): each for each in ONE_OF_EACH}


def name_of(kind: type[Message]) -> str:
    return str(kind.__struct_config__.tag)


def from_nobody(message: Message) -> Message:
    """Return a verdict of no node, where the message can be one."""
    if isinstance(message, Result):
        return Result(**{**{f: getattr(message, f) for f in message.__struct_fields__}, "node": ""})
    return message


@pytest.mark.parametrize("inlet", INLETS)
def test_the_table_has_what_an_inlet_takes_and_nothing_else(inlet: Role) -> None:
    assert set(MAY_SAY[inlet]) == set(get_args(INLETS[inlet]) or [INLETS[inlet]])


@pytest.mark.parametrize(("inlet", "kind", "role"), list(itertools.product(INLETS, MESSAGES, Role)))
def test_each_message_from_each_role(inlet: Role, kind: type[Message], role: Role) -> None:
    key = (inlet, name_of(kind))
    if role is Role.NODE:
        message = MESSAGES[kind]
        assert may_say(inlet, message, Identity(role, speaker(message))) == (key in OF_NODES)
    else:
        message = from_nobody(MESSAGES[kind])
        assert may_say(inlet, message, Identity(role)) == (role in CONTROL.get(key, ()))


@pytest.mark.parametrize(("inlet", "name"), sorted(OF_NODES))
def test_a_node_speaks_for_itself_alone(inlet: Role, name: str) -> None:
    message = next(each for kind, each in MESSAGES.items() if name_of(kind) == name)
    assert speaker(message)
    assert may_say(inlet, message, Identity(Role.NODE, speaker(message)))
    assert not may_say(inlet, message, Identity(Role.NODE, f"{speaker(message)}x"))
    assert not may_say(inlet, message, Identity(Role.NODE))
    for role in set(Role) - {Role.NODE}:
        assert not may_say(inlet, message, Identity(role))


def test_a_node_settles_nothing_in_the_name_of_the_scheduler() -> None:
    verdict = from_nobody(MESSAGES[Result])
    assert may_say(Role.COLLECTOR, verdict, Identity(Role.SCHEDULER))
    assert not may_say(Role.COLLECTOR, verdict, Identity(Role.NODE, "n"))


def test_who_may_say_nothing_may_not_connect() -> None:
    admitted = {
        inlet: {role for role in Role if may_connect(inlet, Identity(role))} for inlet in INLETS
    }
    assert admitted == {
        Role.SCHEDULER: {Role.API, Role.AGENT, Role.COLLECTOR, Role.NODE},
        Role.COLLECTOR: {Role.NODE, Role.SCHEDULER},
        Role.NODE: {Role.SCHEDULER, Role.COLLECTOR},
        Role.API: {Role.COLLECTOR, Role.SCHEDULER},
    }
