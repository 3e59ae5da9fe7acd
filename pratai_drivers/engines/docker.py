"""The Docker engine: these modules alone know Docker.

What it makes carries two labels, the installation's and the node's, and only what carries both is
ever removed. Containers get the limits of doc/source/admin/isolation.rst; a limit that the Docker
Engine cannot apply makes the node refuse to start rather than run without it.
"""

import logging
import secrets
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
from oslo_config import cfg

from pratai_common.errors import EngineError
from pratai_common.package import PackageFile
from pratai_drivers.engines import docker_images, docker_network
from pratai_drivers.engines.base import BuildSpec, Container, Engine, Print, RunSpec
from pratai_drivers.engines.docker_builds import Builds
from pratai_drivers.engines.docker_client import Clients, connect, engine_errors
from pratai_drivers.engines.docker_containers import Containers, bind

LOG = logging.getLogger(__name__)
_CLOSED_IN = 25
_CHECK_SECONDS = 5
_NEEDED = ("MemoryLimit", "PidsLimit", "CpuCfsQuota")


class DockerEngine(Engine):
    """See the module."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._clients = Clients()
        self._containers = Containers(self._clients, conf.installation, conf.driver.name)
        self._builds = Builds(self._containers)
        self._network = docker_network.Network(self._containers, conf, conf.driver.name)
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
            return images.runtimes()

    def open(self) -> None:
        """See Engine."""
        with engine_errors():
            info = self._clients.mine().info()
            _check_limits(info)
            _check_seccomp(info)
            self._containers.processors = float(info["NCPU"])
            self._containers.remove_all()
            self._network.create()

    def close(self) -> None:
        """See Engine."""
        with engine_errors():
            self._containers.remove_all()
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

    def install(self, spec: BuildSpec, say: Print) -> None:
        """See Engine."""
        self._builds.install(spec._replace(network=self._docker_network(spec.network)), say)

    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """See Engine."""
        name = f"{self._network.name}-files-{secrets.token_hex(8)}"
        self._builds.add_files(base, image, name, files)

    # Containers

    def start(self, spec: RunSpec) -> Container:
        """See Engine."""
        network = self._docker_network(spec.network)
        pids, tmp_mb = self._conf.driver.pids, self._conf.driver.tmp_mb
        host = {
            **self._containers.bounded(spec.memory, spec.cpus, pids, network),
            "read_only": True,
            "mounts": [bind(spec.link, "/run/pratai")],
            "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,size={tmp_mb}m,mode=1777"},  # noqa: S108 - its
        }
        with engine_errors():
            try:
                return self._containers.start(spec.name, spec.image, host, spec.environment)
            except docker.errors.NotFound as error:
                if "network" not in str(error):
                    raise
                self._mend_network()
                return self._containers.start(spec.name, spec.image, host, spec.environment)

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
