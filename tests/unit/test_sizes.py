"""The largest messages there can be are smaller than what a socket takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.messages import (
    CollectorMessage,
    Heartbeat,
    MessageDecoder,
    NodeState,
    Result,
    Submitted,
    encode,
)
from pratai_common.records import Body, Function, Version
from pratai_common.submit import Cause, Submitter, Trigger
from pratai_common.tokens import TokenKey
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.node import MOST_SPOOLED, Node
from pratai_scheduler.nodes import Nodes
from tests.archives import in_folder
from tests.records import attempt, function

LONG_NAME = "x" * 255
HEADER = 8190
"""The longest line of a header that the HTTP server takes."""


def largest_function() -> Function:
    """Return one with as many variables of an environment as there can be, each costs a little."""
    environment: dict[str, str] = {}
    room = limits.MAX_ENVIRONMENT_BYTES
    while room > 0:
        name = f"{len(environment):x}"
        environment[name] = ""
        room -= len(f"{name}=")
    return function(name="x" * 63, memory=limits.MAX_MEMORY_MB, environment=environment)


def largest_call(folder: Path, payload: bytes) -> Submitted:
    """Return what the API sends of the largest call that it takes."""
    shown = {"headers": {"ce-x": "é" * (limits.MAX_HOOK_HEADERS_BYTES // 2)}}
    attributes: dict[str, Any] = {
        "id": LONG_NAME,
        "source": LONG_NAME,
        "datacontenttype": "x" * HEADER,
        **shown,
    }
    sent: list[Submitted] = []
    submitter = Submitter(
        _no_store(), in_folder(folder), lambda message: sent.append(message) or True, int
    )
    submitter.call(
        Trigger(
            function=largest_function(),
            user_id=LONG_NAME,
            cause=Cause("webhook", LONG_NAME),
            payload=payload,
            attributes=attributes,
            reply_to=LONG_NAME,
        ),
        60_000,
    )
    return sent[0]


def _no_store() -> Any:
    return None


@pytest.mark.parametrize(
    "size", [limits.INLINE_BODY_BYTES, limits.REFERENCE_BODY_BYTES, limits.MAX_BODY_BYTES]
)
def test_the_whole_way_of_the_largest_call(tmp_path: Path, size: int) -> None:
    """Its job carries the input twice, and its result carries it once more, beside the output."""
    payload = json.dumps("x" * (size - 2)).encode()
    assert len(payload) == size
    call = largest_call(tmp_path, payload)
    assert call.input is not None
    version = Version(
        function_id="f1",
        number=1,
        project_id="p",
        runtime=LONG_NAME,
        archive_sha256="0" * 64,
        size=1,
        build_request_id="b",
        created_at=1,
    )
    table = Nodes(10_000, 5_000)
    table.saw(state(), 0)
    node: Node | None = table.get("n")
    assert node is not None
    key = TokenKey(b"k")
    job: Any = Assignments(key, int, lambda sha256, _: f"{'x' * 512}{sha256}", 3600).run(
        call.request, largest_function(), version, attempt(), node, call.input, call
    )
    inline = Body.inline(payload)
    output = replace(inline, content=None) if size > limits.REFERENCE_BODY_BYTES else inline
    result = Result(
        **{name: getattr(job, name) for name in ("request_id", "attempt", "node", "epoch")},
        project_id=job.project_id,
        token=job.token,
        ticket=job.ticket,
        output=output,
        message="é" * 64 * limits.KIB,
        started_at=1,
        finished_at=1,
    )
    for message in (call, job, result):
        assert len(encode(message)) < limits.MAX_MESSAGE_BYTES, type(message)
    decoder: MessageDecoder[CollectorMessage] = MessageDecoder(CollectorMessage)
    assert decoder.decode([encode(result)]) == result
    assert key.genuine(job.ticket)


def state(**values: Any) -> NodeState:
    given: dict[str, Any] = {
        "node": "n",
        "instance": "0" * 32,
        "address": LONG_NAME,
        "ip": LONG_NAME,
        "pid": 1,
        "version": LONG_NAME,
        "joined_at": 0,
        "slots": 1000,
        "memory": 10**6,
        "runtimes": {f"{number:0255}": LONG_NAME for number in range(100)},
        **values,
    }
    return NodeState(**given)


def test_a_heartbeat_of_a_node_whose_results_nobody_takes(tmp_path: Path) -> None:
    """It has as many as it may have, and each slot has just ended one more."""
    spooled = tuple((f"{number:036}", 1) for number in range(MOST_SPOOLED + 1000))
    running = tuple((f"{number:036}", 1, "f" * 36) for number in range(1000))
    spares = tuple((f"{number:036}", 2**31, 1000) for number in range(1024))
    largest = Heartbeat(state=state(spooled=spooled, running=running, spares=spares))
    assert len(encode(largest)) < limits.MAX_MESSAGE_BYTES
