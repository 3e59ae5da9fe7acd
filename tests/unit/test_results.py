"""What is too large for a message: a node fetches inputs and zips, and the API keeps outputs; also
when it is away for a time.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.messages import Heartbeat, Result, Stored, encode
from pratai_drivers.spool import LONGEST_PAUSE_MS
from tests.packages import ECHO
from tests.unit.node_world import NodeWorld
from tests.waiting import until

LARGE = b'"' + b"x" * limits.REFERENCE_BODY_BYTES + b'"'
LARGEST = b'"' + b"x" * (limits.MAX_BODY_BYTES - 2) + b'"'
JUST_SMALL = b'"' + b"x" * (limits.REFERENCE_BODY_BYTES - 2) + b'"'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[NodeWorld]:
    made = NodeWorld(tmp_path)
    yield made
    made.close()


def run(world: NodeWorld, request_id: str, payload: bytes) -> None:
    """Have a job run that returns what it is given, by a node whose API is there."""
    world.node.receive([world.job(request_id, payload=payload)])
    until(lambda: (request_id, 1) in world.spool, "the result is in the spool")


def drains(world: NodeWorld) -> set[bool]:
    """Return whether the node takes no jobs, as it has said with each sign of life so far."""
    return {beat.state.draining for beat in until(lambda: world.said(Heartbeat), "it beats")}


@pytest.mark.parametrize("payload", [LARGE, LARGEST])
def test_a_large_output_goes_by_the_api(world: NodeWorld, payload: bytes) -> None:
    run(world, "r", payload)
    result = world.result("r")
    assert result.output is not None
    assert (result.reason, result.output.content) == (None, None)
    assert world.api.archives.read(result.output) == payload
    assert len(encode(result)) < limits.REFERENCE_BODY_BYTES
    # The node keeps no copy of it.
    assert world.spool.get(("r", 1)) == result


def test_what_a_message_holds_does_not(world: NodeWorld) -> None:
    run(world, "r", JUST_SMALL)
    result = world.result("r")
    assert result.output is not None
    assert result.output.content == JUST_SMALL


def leave_a_large_output(world: NodeWorld, request_id: str = "r") -> None:
    """Have a job run that returns what is large, while the API goes away."""
    world.engine.on_start = world.api.stop
    run(world, request_id, LARGE)


def test_the_api_is_away_when_a_large_output_is_there(world: NodeWorld) -> None:
    """The result stays in the spool, whole, and comes when the API is back."""
    leave_a_large_output(world)
    for _ in range(3):
        world.pass_time(LONGEST_PAUSE_MS)
        kept = world.spool.get(("r", 1))
        assert kept is not None
        assert kept.output is not None
        assert kept.output.content == LARGE
    assert world.said(Result) == []
    # It is no reason to take no jobs.
    assert drains(world) == {False}
    world.api.start()
    world.pass_time(LONGEST_PAUSE_MS)
    result = world.result("r")
    assert result.output is not None
    assert world.api.archives.read(result.output) == LARGE


def test_a_full_disk_lets_a_large_output_go(
    world: NodeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps all of the result until that is stored, and then has room again."""
    leave_a_large_output(world)
    # What fails below is one write: no earlier attempt may be on its way any more.
    until(lambda: "attempt 1 waits in the spool" in caplog.text, "it was brought in vain")
    (world.folder / "spool" / ".r.1.result.new").symlink_to("/dev/full")
    world.api.start()
    world.pass_time(LONGEST_PAUSE_MS)
    result = world.result("r")
    assert result.output is not None
    assert result.output.content is None
    assert world.api.archives.read(result.output) == LARGE
    assert world.spool.large(("r", 1))
    world.node.receive([Stored(request_id="r", attempt=1)])
    assert list((world.folder / "spool").iterdir()) == []


def test_a_large_output_survives_its_node(tmp_path: Path) -> None:
    first = NodeWorld(tmp_path)
    try:
        leave_a_large_output(first)
    finally:
        first.close()
    again = NodeWorld(tmp_path)
    try:
        again.pass_time(0)
        result = again.result("r")
        assert result.output is not None
        assert again.api.archives.read(result.output) == LARGE
    finally:
        again.close()


def test_an_output_that_is_not_taken_holds_up_no_other(world: NodeWorld) -> None:
    """The first one's token is worth nothing, so it is refused each time."""
    world.node.receive([replace(world.job("bad", payload=LARGE), token=b"0" * 16)])
    until(lambda: ("bad", 1) in world.spool, "the result is in the spool")
    world.pass_time(LONGEST_PAUSE_MS)
    run(world, "r", LARGE)
    assert world.result("r").output is not None
    assert [each.request_id for each in world.said(Result)] == ["r"]
    assert world.spool.keys() == (("bad", 1), ("r", 1))


# What comes in


def test_a_large_input_is_fetched(world: NodeWorld) -> None:
    job = world.job("r", payload=LARGE)
    assert job.input.content is None
    world.node.receive([job])
    assert world.result("r").reason is None


def test_an_input_that_is_not_there_any_more(world: NodeWorld) -> None:
    job = world.job("r", payload=LARGE)
    url = world.api.address("0" * 64)
    world.node.receive([replace(job, input=replace(job.input, sha256="0" * 64), input_url=url)])
    assert world.result("r").reason == "input_missing"
    world.node.receive([world.job("next")])
    assert world.result("next").reason is None


def test_an_address_that_is_no_longer_valid_is_our_fault(world: NodeWorld) -> None:
    job = world.job("r", payload=LARGE)
    url = world.api.address(job.input.sha256, seconds=-1)
    world.node.receive([replace(job, input_url=url)])
    result = world.result("r")
    assert (result.reason, result.message) == (
        "node_lost",
        "an archive could not be fetched: answered with 403",
    )
    world.pass_time(0)
    assert drains(world) == {False}


@pytest.mark.parametrize("kind", ["input", "package", "build"])
def test_a_node_that_can_fetch_nothing_takes_no_jobs_until_it_can(
    world: NodeWorld, kind: str
) -> None:
    if kind == "input":
        world.node.receive([world.job("warm")])
        world.result("warm")
    payload = LARGE if kind == "input" else b"7"
    job = world.build("r", ECHO) if kind == "build" else world.job("r", payload=payload)
    world.api.stop()
    world.node.receive([job])
    result = world.result("r")
    assert result.reason == "node_lost"
    assert result.message == "an archive could not be fetched: NewConnectionError"
    beats = until(
        lambda: [each for each in world.said(Heartbeat) if each.state.draining], "it says so"
    )
    world.api.start()
    until(lambda: not world.said(Heartbeat)[-1].state.draining, "it takes jobs again")
    assert beats
    token = world.api.key.mint("r", 2, "n", 1, "p")
    world.node.receive([replace(job, attempt=2, token=token)])
    again = until(
        lambda: [each for each in world.said(Result) if each.attempt == 2], "it is tried again"
    )
    assert again[0].reason is None


def test_a_zip_that_is_not_there_any_more_fails_its_build(world: NodeWorld) -> None:
    build = world.build("b", ECHO)
    url = world.api.address("0" * 64)
    package = replace(build.package, archive_sha256="0" * 64, archive_url=url)
    world.node.receive([replace(build, package=package)])
    result = world.result("b")
    assert (result.reason, result.message) == (
        "image_build",
        "the uploaded zip is no longer stored",
    )
    world.node.receive([world.build("next", ECHO)])
    assert world.result("next").reason is None
