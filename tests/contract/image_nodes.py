"""Nodes that make functions' images in Docker, as the suites of images use them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pratai_common.errors import BuildError
from pratai_common.messages import Package
from pratai_drivers.builder import Builder
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.registry import open_registry
from pratai_drivers.transfers import Transfers
from tests.contract.conftest import MakeConf
from tests.node_api import NodeApi
from tests.packages import package, wheel

RUN = (
    "import sys; sys.path[:0] = ['/opt/pratai/packages', '/opt/pratai/function'];"
    "import new_module; print(new_module.main())"
)


class Node:
    """A node of an installation: its builder, and what the builder said last."""

    def __init__(
        self, make_conf: MakeConf, api: NodeApi, installation: str, **groups: Mapping[str, Any]
    ) -> None:
        conf = make_conf(network="host")
        # The runtime is that of all tests: an installation's own would take minutes.
        runtimes = DockerEngine.from_conf(conf).prepare(lambda _output: None)
        conf.set_override("installation", installation)
        for group, options in groups.items():
            for name, value in options.items():
                conf.set_override(name, value, group=group)
        self.engine = DockerEngine.from_conf(conf)
        self.registry = open_registry(conf, self.engine)
        if self.registry is not None:
            self.registry.start()
        self.state = Path(conf.state_path, "nodes", conf.driver.name)
        self.builder = Builder(self.engine, Transfers(30), conf, runtimes, self.registry)
        self._api = api
        self.log = ""

    def build(self, content: bytes, project_id: str = "p") -> str:
        said: list[bytes] = []
        try:
            return self.builder.image(self.package(content, project_id), said.append)
        except BuildError:
            print(b"".join(said).decode())
            raise
        finally:
            self.log = b"".join(said).decode()

    def package(self, content: bytes, project_id: str = "p") -> Package:
        return self._api.package(content, project_id)

    def close(self) -> None:
        if self.registry is not None:
            self.registry.stop()


def greeting(text: str) -> bytes:
    """Return a function with a requirement of its own, which says this."""
    file = wheel("greeting", "1.0", content=f"TEXT = {text!r}\n")
    requirements = "".join(f"./{name}\n" for name in file)
    return package(
        "import greeting\ndef main(payload=None): return greeting.TEXT\n", requirements, **file
    )
