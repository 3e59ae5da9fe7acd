"""The Docker engine: these modules alone know Docker.

What it makes carries two labels, the installation's and the node's, and only what carries both is
ever removed. Containers get the limits of doc/source/admin/isolation.rst; a limit that the Docker
Engine cannot apply makes the node refuse to start rather than run without it.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import docker
from oslo_config import cfg

from pratai_common import limits
from pratai_common.errors import EngineError
from pratai_common.package import PackageFile
from pratai_drivers.engines import docker_images, docker_network
from pratai_drivers.engines.base import (
    Blank,
    BuildSpec,
    Container,
    Engine,
    Held,
    Print,
    Remote,
    RunSpec,
)
from pratai_drivers.engines.docker_blank import BlankContainers, take_down_all
from pratai_drivers.engines.docker_builds import Builds
from pratai_drivers.engines.docker_client import Clients, connect, engine_errors
from pratai_drivers.engines.docker_containers import Containers, DockerContainer, bind
from pratai_drivers.engines.docker_inventory import Inventory
from pratai_drivers.engines.docker_layers import Layers
from pratai_drivers.folders import node_path, points_path, unpacked_path
from pratai_drivers.unpacked import Unpacked

LOG = logging.getLogger(__name__)
_CLOSED_IN = 25
_CHECK_SECONDS = 5
_NEEDED = ("MemoryLimit", "PidsLimit", "CpuCfsQuota")
_Started = TypeVar("_Started")


class DockerEngine(Engine):
    """See the module."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._clients = Clients()
        self._containers = Containers(self._clients, conf.installation, conf.driver.name)
        self._inventory = Inventory(self._clients, conf.installation)
        self._network = docker_network.Network(self._containers, conf, conf.driver.name)
        unpacked = Unpacked(unpacked_path(conf), conf.driver.unpacked_mb * limits.MIB)
        self._layers = Layers(self._containers, unpacked, self._network.name)
        self._builds = Builds(self._containers)
        self._blanks = BlankContainers(self._containers, self._layers, points_path(node_path(conf)))
        self._mending = threading.Lock()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "DockerEngine":
        """See Engine."""
        return cls(conf)

    # The node's own things

    def prepare(self, say: Print) -> dict[str, str]:
        """See Engine."""
        labels = self._containers.image_labels
        with engine_errors():
            images = docker_images.Images(self._clients.mine(), self._conf, labels, say)
            self._network.rules_image = images.netrules()
            self._layers.forget()
            return images.runtimes()

    def open(self) -> None:
        """See Engine."""
        with engine_errors():
            info = self._clients.mine().info()
            _check_limits(info)
            _check_seccomp(info)
            self._containers.processors = float(info["NCPU"])
            self._containers.remove_all()
            self._blanks.open()
            self._layers.open()
            self._network.create()

    def close(self) -> None:
        """See Engine."""
        self._layers.close()
        with engine_errors():
            self._containers.remove_all()
            self._blanks.close()
            self._network.remove()
        self._clients.close()

    def check(self) -> None:
        """See Engine."""
        with engine_errors(), closing(connect(_CHECK_SECONDS)) as client:
            client.ping()

    def sweep(self, dead_nodes: Sequence[str]) -> None:
        """See Engine."""
        with engine_errors():
            for name in self._containers.remove_unwanted():
                LOG.warning("removed the container %s, which nobody wanted any more", name)
            for node in dead_nodes:
                self._remove_of(node)

    def _remove_of(self, node: str) -> None:
        for name in self._containers.remove_of(node):
            LOG.warning("removed the container %s of node %s, which is dead", name, node)
        take_down_all(points_path(node_path(self._conf).parent / node))
        network = docker_network.Network(self._containers, self._conf, node)
        network.rules_image = self._network.rules_image
        if network.exists():
            network.remove()
            LOG.warning("removed the network of node %s, which is dead", node)

    def _mend_network(self) -> None:
        """Make the network again if somebody removed it: without it every run would fail."""
        with self._mending:
            if not self._network.exists():
                LOG.warning("the network %s is gone; making it again", self._network.name)
                self._network.create()

    # Images

    def has_image(self, image: str) -> bool:
        """See Engine."""
        with engine_errors():
            try:
                self._clients.mine().inspect_image(image)
            except docker.errors.ImageNotFound:
                return False
        return True

    def images(self) -> dict[str, Held]:
        """See Engine."""
        return self._inventory.images()

    def remove_image(self, image: str) -> bool:
        """See Engine."""
        return self._inventory.remove(image)

    def push(self, image: str, remote: Remote) -> None:
        """See Engine."""
        self._inventory.push(image, remote)

    def pull(self, image: str, base: str, remote: Remote) -> None:
        """See Engine."""
        self._inventory.pull(image, base, remote)

    def install(self, spec: BuildSpec, say: Print) -> None:
        """See Engine."""
        self._builds.install(spec._replace(network=self._docker_network(spec.network)), say)

    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """See Engine."""
        name = f"{self._network.name}-files-{secrets.token_hex(8)}"
        self._builds.add_files(base, image, name, files)

    def unpack(self, image: str) -> None:
        """See Engine."""
        if self._blanks.possible and self._conf.pool.blanks:
            self._layers.unpack(image)

    # Containers

    def start(self, spec: RunSpec) -> Container:
        """See Engine."""
        host = self._host(spec)

        def start() -> Container:
            started = self._containers.start(spec.name, spec.image, host, spec.environment)
            return DockerContainer(self._containers, started, spec.name)

        return self._on_network(start)

    def start_blank(self, spec: RunSpec) -> Blank | None:
        """See Engine."""
        host = self._host(spec)
        return self._on_network(lambda: self._blanks.start(spec, host))

    def _host(self, spec: RunSpec) -> dict[str, Any]:
        """Return what a container sees and may use of the host."""
        network = self._docker_network(spec.network)
        pids, tmp_mb = self._conf.driver.pids, self._conf.driver.tmp_mb
        return {
            **self._containers.bounded(spec.memory, spec.cpus, pids, network),
            "read_only": True,
            "mounts": [bind(spec.link, "/run/pratai")],
            "tmpfs": {
                "/tmp": f"rw,exec,nosuid,nodev,size={tmp_mb}m,mode=1777",  # noqa: S108 - its
                "/run/secrets": f"rw,noexec,nosuid,nodev,size={limits.SECRETS_MB}m,mode=1777",
            },
        }

    def _on_network(self, start: Callable[[], _Started]) -> _Started:
        """Start a container, once more if somebody removed the network."""
        with engine_errors():
            try:
                return start()
            except docker.errors.NotFound as error:
                if "network" not in str(error):
                    raise
                self._mend_network()
                return start()

    def _docker_network(self, network: str) -> str:
        """Return what Docker calls a network: ``bridge`` is the node's own."""
        return self._network.name if network == "bridge" else network


def _check_limits(info: dict[str, Any]) -> None:
    """Refuse a Docker Engine that would only warn where a limit does not hold."""
    missing = [name for name in _NEEDED if not info.get(name)]
    if not info.get("SwapLimit") and len(Path("/proc/swaps").read_text().splitlines()) > 1:
        missing.append("SwapLimit")
    if missing:
        raise EngineError(f"this host cannot apply limits that Pratai needs: {', '.join(missing)}")


def _check_seccomp(info: dict[str, Any]) -> None:
    """Warn of an engine whose own profile still lets through what later ones do not."""
    version = str(info["ServerVersion"])
    major = version.split(".", 1)[0]
    if major.isdigit() and int(major) < _CLOSED_IN:
        LOG.warning(
            "Docker Engine %s lets containers make vsock sockets and io_uring rings, which %d and "
            "later do not (see the documents on isolation)",
            version,
            _CLOSED_IN,
        )
