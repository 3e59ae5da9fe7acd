"""Which images go, and which stay."""

from pratai_drivers.image_collection import ImageCollection
from pratai_drivers.surplus import Budget
from tests.contract.conftest import MakeConf
from tests.contract.image_nodes import Node, greeting
from tests.docker_command import docker
from tests.node_api import NodeApi


def test_images_go_by_their_last_use_and_runtimes_stay(
    make_conf: MakeConf, node_api: NodeApi, installation: str
) -> None:
    node = Node(make_conf, node_api, installation)
    contents = [greeting(text) for text in ("old", "new")]
    old, new = map(node.build, contents)
    parents = [docker("image", "inspect", "-f", "{{.Parent}}", each) for each in (old, new)]
    held = node.engine.images()
    assert {old, new} < held.keys()
    assert len(held) == 4
    sizes = {layer: size for each in held.values() for layer, size in each.layers}
    shared = [layer for layer, _size in held[old].layers if layer in dict(held[new].layers)]
    own = sum(sizes.values()) - sum(sizes[layer] for layer in shared)
    assert 0 < own < 100_000
    assert sum(size for _layer, size in held[old].layers) == int(
        docker("image", "inspect", "-f", "{{.Size}}", old)
    )
    container = docker("create", old)
    now = max(each.since for each in held.values()) + 1000

    def collect(size: int) -> set[str]:
        budget = Budget(size, 10**9)
        ImageCollection(node.engine, node.builder.records, budget, 1, lambda: now * 1000).once()
        return set(node.engine.images())

    assert collect(sum(sizes.values())) == held.keys()
    # The older one goes first, but a container is made of it.
    assert old in collect(sum(sizes.values()) - 1)
    assert new not in node.engine.images()
    docker("rm", container)
    assert collect(0) == set()
    assert all(not docker("images", "-q", "--no-trunc", parent) for parent in parents)
    assert node.builder.known_image(node.package(contents[0])) is None
    assert node.build(contents[0]) == old
    assert "adding 3 files" in node.log
