"""How many builds are out at a time, and that what waits for a place holds no run up."""

from pathlib import Path

import pytest

from pratai_common.messages import Build, Job
from tests.unit.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A scheduler that acts, and a node with four slots."""
    world = World(tmp_path)
    world.heartbeat()
    world.pass_seconds(3)
    return world


def sent(world: World) -> list[str]:
    return [each.request_id for each in world.to_nodes if isinstance(each, Job | Build)]


def test_builds_beyond_what_nodes_make_wait_and_runs_pass_them(world: World) -> None:
    world.function()
    for name in ("b1", "b2", "b3"):
        world.function(f"f-{name}")
        world.request(name, function_id=f"f-{name}", kind="build", version=1)
    world.pass_seconds(1)
    assert sent(world) == ["b1", "b2"]
    world.request("r")
    world.pass_seconds(1)
    assert sent(world) == ["b1", "b2", "r"]
    world.end(next(each for each in world.to_nodes if isinstance(each, Build)))
    world.pass_seconds(1)
    assert sent(world) == ["b1", "b2", "r", "b3"]


def test_each_node_has_its_places(world: World) -> None:
    world.heartbeat(node="m", address="m")
    for name in ("b1", "b2", "b3", "b4", "b5"):
        world.function(f"f-{name}")
        world.request(name, function_id=f"f-{name}", kind="build", version=1)
    world.pass_time(1000)
    assert sent(world) == ["b1", "b2", "b3", "b4"]


def test_however_many_builds_wait_a_run_passes_them(world: World) -> None:
    names = [f"b{number:02}" for number in range(40)]
    for name in names:
        world.function(f"f-{name}")
        world.request(name, function_id=f"f-{name}", kind="build", version=1)
    world.pass_seconds(1)
    assert sent(world) == names[:2]
    world.function("other", project_id="q")
    world.request("r", function_id="other", project_id="q")
    world.pass_seconds(1)
    assert sent(world) == [*names[:2], "r"]
    world.end(next(each for each in world.to_nodes if isinstance(each, Build)))
    assert sent(world) == [*names[:2], "r", names[2]]
