"""Engines and builders without daemons around them."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import Engine
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.engines.null import NullEngine
from pratai_drivers.transfers import Transfers
from tests.docker_command import docker
from tests.node_api import NodeApi
from tests.stack import build_settings
from tests.swift import InSwift, Swift

ENGINES: dict[str, type[Engine]] = {"docker": DockerEngine, "null": NullEngine}
MakeConf = Callable[..., cfg.ConfigOpts]


@pytest.fixture
def make_conf(tmp_path: Path) -> MakeConf:
    """Returns a node's configuration with some options of [build] set."""

    def make(**build: Any) -> cfg.ConfigOpts:
        (tmp_path / "build.conf").write_text(build_settings())
        path = tmp_path / "pratai.conf"
        lines = ["[DEFAULT]", f"state_path = {tmp_path / 'state'}", "[driver]"]
        lines += [f"name = test-{uuid.uuid4().hex[:8]}", "[build]"]
        lines += [f"{name} = {value}" for name, value in build.items()]
        path.write_text("\n".join([*lines, ""]))
        arguments = ["--config-file", str(tmp_path / "build.conf"), "--config-file", str(path)]
        return configuration.load("test", arguments)

    return make


@pytest.fixture
def in_swift(swift: Swift, tmp_path: Path) -> InSwift:
    """How archives in the real Swift are opened."""
    return InSwift.of(swift, tmp_path / "swift.conf")


@pytest.fixture
def node_api(tmp_path: Path) -> Iterator[NodeApi]:
    """Where builders get zips."""
    api = NodeApi(tmp_path)
    yield api
    api.close()


@pytest.fixture(params=ENGINES)
def engine_and_conf(
    request: pytest.FixtureRequest, make_conf: MakeConf
) -> Iterator[tuple[Engine, cfg.ConfigOpts]]:
    conf = make_conf()
    engine = ENGINES[request.param].from_conf(conf)
    engine.prepare(lambda _output: None)
    engine.open()
    yield engine, conf
    engine.close()


@pytest.fixture
def engine(engine_and_conf: tuple[Engine, cfg.ConfigOpts]) -> Engine:
    return engine_and_conf[0]


@pytest.fixture
def builder(engine_and_conf: tuple[Engine, cfg.ConfigOpts]) -> Builder:
    engine, conf = engine_and_conf
    return Builder(engine, Transfers(30), conf, engine.prepare(lambda _output: None))


@pytest.fixture
def installation() -> Iterator[str]:
    """The name of one whose images are removed at the end."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    label = f"label=pratai.installation={name}"
    for container in docker("ps", "-aq", "--filter", label).split():
        docker("rm", "-f", container)
    for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines():
        if f"{name}/" in image:
            docker("rmi", "-f", image)
