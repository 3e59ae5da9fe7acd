"""What is let go: two nodes that run one attempt have a result each, and the ledger tells them
apart.
"""

import pytest
from msgspec.structs import replace

from pratai_common.messages import Result, Stored
from pratai_common.records import Attempt, Request, Status
from tests.simulation.coverage import Coverage
from tests.simulation.ledger import BrokenInvariantError
from tests.simulation.world import World

FAILED = Attempt(
    number=1, node="node2", epoch=2, started_at=1, finished_at=2, reason="timeout", message="late"
)
REPEATED = Request(
    request_id="r",
    function_id="h1",
    project_id="r",
    user_id="u",
    source="timer",
    retries=1,
    status=Status.SCHEDULED,
    attempts=(FAILED,),
    created_at=1,
    expires_at=99,
    next_run_at=9,
)


def result(node: str, epoch: int, reason: str | None) -> Result:
    return Result(
        request_id="r",
        attempt=1,
        node=node,
        epoch=epoch,
        project_id="r",
        token=b"",
        reason=reason,
        started_at=1,
        finished_at=2,
    )


RESULTS = (result("node1", 1, None), result("node2", 2, "timeout"))


@pytest.fixture(params=[RESULTS, RESULTS[::-1]], ids=["success first", "failure first"])
def world(request: pytest.FixtureRequest) -> World:
    """Return a world in which the attempt succeeded on node1, which nobody knows yet, and failed on
    node2: that is stored.
    """
    world = World(1, Coverage())
    for each in request.param:
        world.ends(each)
        world.keeps(each)
    world.ledger.rows["r"] = REPEATED
    return world


def let_go(world: World, node: str) -> None:
    collector = world.daemons["collector1"].process
    world.ledger.sent(collector, node, Stored(request_id="r", attempt=1))


def succeed(world: World) -> None:
    collector = world.daemons["collector1"].process
    with world.runs(collector):
        world.ledger.rows["r"] = replace(
            REPEATED,
            status=Status.SUCCESS,
            attempts=(replace(FAILED, node="node1", epoch=1, reason=None, message=None),),
        )


def test_a_failure_is_let_go_beside_another_nodes_success(world: World) -> None:
    let_go(world, "node2")
    succeed(world)
    let_go(world, "node1")
    world.ledger.check_rest(world.store)


def test_a_success_is_not_let_go_for_another_nodes_failure(world: World) -> None:
    with pytest.raises(BrokenInvariantError, match="let go unstored"):
        let_go(world, "node1")


def test_a_success_is_to_be_taken_though_another_nodes_result_was(world: World) -> None:
    let_go(world, "node2")
    succeed(world)
    with pytest.raises(BrokenInvariantError, match="what a node kept was never taken"):
        world.ledger.check_rest(world.store)
