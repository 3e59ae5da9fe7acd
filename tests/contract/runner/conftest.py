"""Containers of each built-in runtime, with a scripted node at their other end."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pratai_common import conf as configuration
from pratai_drivers.engines.base import Engine
from pratai_drivers.engines.docker import DockerEngine
from tests.contract.runner.node import Node, Runtime
from tests.stack import build_settings

RUNTIMES = [
    Runtime("python3", "new_module.py", copies=True, survives_exit=True),
    Runtime("nodejs", "new_module.js", copies=False, survives_exit=False),
]
StartNode = Callable[[], Node]


@pytest.fixture(scope="session", params=RUNTIMES, ids=lambda runtime: runtime.name)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    found: Runtime = request.param
    return found


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Engine, dict[str, str]]]:
    """An engine, and the image of each runtime."""
    folder = tmp_path_factory.mktemp("runner")
    (folder / "build.conf").write_text(build_settings())
    (folder / "pratai.conf").write_text(
        f"[DEFAULT]\nstate_path = {folder / 'state'}\n"
        f"runtimes = {','.join(each.name for each in RUNTIMES)}\n"
        f"[driver]\nname = test-{uuid.uuid4().hex[:8]}\n"
    )
    arguments = [f"--config-file={folder / name}" for name in ("build.conf", "pratai.conf")]
    conf = configuration.load("test", arguments)
    engine = DockerEngine.from_conf(conf)
    images = engine.prepare(lambda _output: None)
    engine.open()
    yield engine, images
    engine.close()


@pytest.fixture
def start_node(
    prepared: tuple[Engine, dict[str, str]], runtime: Runtime, tmp_path: Path
) -> Iterator[StartNode]:
    """Starts a container; it is gone after the test."""
    engine, images = prepared
    started: list[Node] = []

    def start() -> Node:
        folder = tmp_path / f"node{len(started)}"
        started.append(Node(engine, runtime, images[runtime.name], folder))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def node(start_node: StartNode) -> Node:
    return start_node()
