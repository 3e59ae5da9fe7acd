"""What a node makes of what it is given for a function: runs, containers that wait, and masks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common.clock import now_ms
from pratai_common.envelopes import Opener
from pratai_common.messages import Result
from pratai_common.provisions import Delegated
from pratai_common.records import Body, Trust
from pratai_drivers.fit import Fit
from pratai_drivers.masking import Forms, Mask
from pratai_drivers.secrets_cache import Given
from tests.unit.node_world import FIT, NodeWorld
from tests.unit.pool_world import SHARED, PoolWorld
from tests.unit.secrets_world import MINE, USES, WANTED, function
from tests.waiting import until


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeWorld]:
    made = NodeWorld(tmp_path)
    for name, value in WANTED.items():
        made.api.secrets.put(MINE, name, value)
    made.api.store.create_function(function())
    yield made
    made.close()


def run(node: NodeWorld, request_id: str, **changes: Any) -> Result:
    """Return the result of a job with secrets; its image is there."""
    url = node.api.urls.secrets("f", request_id, now_ms() // 1000 + 60)
    job = replace(node.job(request_id), secrets=USES, secrets_url=url, **changes)
    node.node.receive([job])
    return node.result(request_id)


def test_a_run_with_secrets(node: NodeWorld) -> None:
    assert run(node, "r").reason is None
    assert run(node, "r2").output == Body.inline(b"7")


def test_a_run_that_gets_none(node: NodeWorld) -> None:
    """It is the function's failure: its author says how often it is repeated."""
    node.api.secrets.delete(MINE, "db")
    result = run(node, "r")
    assert (result.reason, result.message) == (
        "secret_unavailable",
        "the project has no secret db",
    )
    assert node.health.sound
    node.api.secrets.put(MINE, "db", b"back")
    assert run(node, "r2").reason is None


def test_a_run_whose_owner_is_gone(node: NodeWorld) -> None:
    trust = Trust(trust_id="t", user_id="u", roles=("member",))
    node.api.store.change_function("f", lambda old: replace(old, trust=trust))
    assert run(node, "r", delegated=True).reason == "identity_revoked"


def test_a_node_without_its_key(node: NodeWorld) -> None:
    """It is the node's trouble: the run is repeated elsewhere."""
    node.api.node_keys["n"] = Opener.ephemeral().public
    result = run(node, "r")
    assert result.reason == "node_lost"
    assert "cannot be opened" in (result.message or "")
    node.api.node_keys.clear()
    assert run(node, "r2").reason is None


def test_a_container_of_former_values_meets_no_event(tmp_path: Path) -> None:
    """Also not where it has waited: what its import made of them is former, too."""
    first = FIT._replace(secrets="a" * 64)
    second = FIT._replace(secrets="b" * 64)
    given = {first.secrets: Given((), None, first.secrets)}
    world = PoolWorld(tmp_path, known=given.get)
    world.pool.start()
    try:
        world.event(first)
        world.waiting(1, first)
        _, found = world.event(second)
        assert not found
        _, found = world.event(second)
        assert not found  # what it is given is not known, so no spare was made
        given[second.secrets] = Given((), None, second.secrets)
        world.event(second)
        until(lambda: world.event(second)[1], "a container waits for the event")
    finally:
        world.pool.stop()


def acting(token: str) -> Given:
    identity = Delegated(
        auth_url="http://k", token=token, expires_at="", project_id="p", user_id="u"
    )
    return Given((), identity, "", Forms([token.encode()]))


@pytest.mark.parametrize(("fit", "expected"), [(SHARED, b"*** ***"), (FIT, b"gAAAA-former ***")])
def test_a_process_that_events_share_may_print_the_token_of_a_former_one(
    tmp_path: Path, fit: Fit, expected: bytes
) -> None:
    warm = PoolWorld(tmp_path).starter.start(fit, "image")
    try:
        warm.hidden(acting("gAAAA-former"))
        mask = Mask(warm.hidden(acting("gAAAA-later")))
        assert mask.feed(b"gAAAA-former gAAAA-later") + mask.rest() == expected
    finally:
        warm.discard()
