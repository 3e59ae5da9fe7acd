"""The Docker engine: the only module that knows Docker.

What it makes carries two labels, the installation's and the node's, and only what carries both is
ever removed. Containers get the limits of doc/source/admin/isolation.rst; a limit that the Docker
Engine cannot apply makes the node refuse to start rather than run without it.
"""

import hashlib
import io
import logging
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import requests
from docker.types import Mount, Ulimit
from docker.utils import kwargs_from_env
from docker.utils.socket import frames_iter
from oslo_config import cfg

from pratai_common import limits
from pratai_common.errors import BuildError, EngineError
from pratai_common.package import PackageFile
from pratai_drivers.engines import docker_images, docker_network
from pratai_drivers.engines.base import BuildSpec, Container, Engine, Exit, Print, RunSpec

LOG = logging.getLogger(__name__)
INSTALLATION_LABEL = "pratai.installation"
NODE_LABEL = "pratai.node"
_API_TIMEOUT_SECONDS = 60
_FUNCTION_FOLDER = "/opt/pratai/function"
_INSTALL = "/opt/pratai/runner/install"
_NEEDED = ("MemoryLimit", "PidsLimit", "CpuCfsQuota")
_OUTPUT = {"stdout": 1, "stderr": 1, "stream": 1}
_OPEN_FILES = 1024
_PEAK_MEMORY_FILES = (
    "/sys/fs/cgroup/memory/docker/{id}/memory.max_usage_in_bytes",
    "/sys/fs/cgroup/memory/system.slice/docker-{id}.scope/memory.max_usage_in_bytes",
    "/sys/fs/cgroup/docker/{id}/memory.peak",
    "/sys/fs/cgroup/system.slice/docker-{id}.scope/memory.peak",
)


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn what the Docker client raises into EngineError."""
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineError(f"Docker: {error}") from error


class DockerContainer(Container):
    """A container for one event."""

    def __init__(self, engine: "DockerEngine", container_id: str) -> None:
        self._engine = engine
        self.id = container_id

    def wait(self, seconds: float) -> Exit | None:
        """See Container."""
        client = self._engine.client
        with engine_errors():
            try:
                client.wait(self.id, timeout=seconds)
            except requests.ReadTimeout:
                return None
            except requests.ConnectionError as error:
                if "timed out" in str(error).lower():
                    return None
                raise
            state = client.inspect_container(self.id)["State"]
        return Exit(state["ExitCode"], state["OOMKilled"])

    def peak_memory(self) -> int | None:
        """See Container."""
        for pattern in _PEAK_MEMORY_FILES:
            with suppress(OSError, ValueError):
                return int(Path(pattern.format(id=self.id)).read_text())
        return None

    def remove(self) -> None:
        """See Container."""
        self._engine.remove_container(self.id)


class DockerEngine(Engine):
    """See the module."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._local = threading.local()
        self._clients: list[Any] = []
        self._mending = threading.Lock()
        self._processors = 1.0
        self._labels = {
            INSTALLATION_LABEL: conf.installation,
            NODE_LABEL: conf.driver.name,
        }
        name = f"{conf.installation}-{conf.driver.name}"
        bridge = "pt" + hashlib.sha256(name.encode()).hexdigest()[:10]
        self._network = docker_network.Network(name, bridge)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "DockerEngine":
        """See Engine."""
        return cls(conf)

    @property
    def client(self) -> Any:
        """This thread's connection to the Docker Engine."""
        if not hasattr(self._local, "client"):
            environment = kwargs_from_env()
            self._local.client = docker.APIClient(
                version="auto", timeout=_API_TIMEOUT_SECONDS, **environment
            )
            self._clients.append(self._local.client)
        return self._local.client

    # The node's own things

    def prepare(self, say: Print) -> dict[str, str]:
        """See Engine."""
        with engine_errors():
            images = docker_images.Images(self.client, self._conf, self._image_labels(), say)
            self._network.rules_image = images.netrules()
            return {name: images.runtime(name) for name in self._conf.runtimes}

    def open(self) -> None:
        """See Engine."""
        with engine_errors():
            info = self.client.info()
            _check_limits(info)
            self._processors = float(info["NCPU"])
            self._remove_leftovers()
            self._make_network()

    def close(self) -> None:
        """See Engine."""
        with engine_errors():
            self._remove_leftovers()
            self._network.remove(self.client, self._labels)
        for client in self._clients:
            client.close()
        self._clients.clear()
        self._local = threading.local()

    def _make_network(self) -> None:
        denied = [*self._conf.driver.deny, *docker_network.control_plane(self._conf)]
        self._network.create(self.client, self._labels, denied)

    def _mend_network(self) -> None:
        """Make the network again if somebody removed it: without it every run would fail."""
        with self._mending:
            if not self._network.exists(self.client):
                LOG.warning("the network %s is gone; making it again", self._network.name)
                self._make_network()

    def _remove_leftovers(self) -> None:
        filters = {"label": [f"{key}={value}" for key, value in self._labels.items()]}
        for container in self.client.containers(all=True, quiet=True, filters=filters):
            self.remove_container(container["Id"])

    def remove_container(self, container_id: str) -> None:
        """Kill and remove a container with its volumes; one that is gone is no error."""
        with engine_errors(), suppress(docker.errors.NotFound):
            self.client.remove_container(container_id, force=True, v=True)

    # Images

    def has_image(self, image: str) -> bool:
        """See Engine."""
        with engine_errors():
            try:
                self.client.inspect_image(image)
            except docker.errors.ImageNotFound:
                return False
        return True

    def install(self, spec: BuildSpec, say: Print) -> None:
        """See Engine."""
        with engine_errors(), self._created(spec.name, spec.base, self._build(spec)) as container:
            too_late = threading.Event()
            timer = threading.Timer(spec.timeout, self._kill, (container, too_late))
            with self._attached(container) as output:
                self.client.start(container)
                timer.start()
                try:
                    for _stream, chunk in _frames(output):
                        say(chunk)
                    self.client.wait(container, timeout=spec.timeout + _API_TIMEOUT_SECONDS)
                finally:
                    timer.cancel()
            _check_build(self.client.inspect_container(container)["State"], too_late, spec)
            self._commit(container, spec.base, spec.image)

    def add_files(self, base: str, image: str, files: Iterable[PackageFile]) -> None:
        """See Engine."""
        name = f"{self._network.name}-files-{image.rsplit(':', 1)[-1][:16]}"
        with engine_errors(), self._created(name, base, {}) as container:
            self.client.put_archive(container, _FUNCTION_FOLDER, _tar(files))
            self._commit(container, base, image)

    @contextmanager
    def _attached(self, container: str) -> Iterator[Any]:
        """Attach to a container's output; the connection is not one that can be used again."""
        output = self.client.attach_socket(container, _OUTPUT)
        try:
            yield output
        finally:
            output._response.close()  # docker-py's: closing the output leaves the socket open

    def _commit(self, container: str, base: str, image: str) -> None:
        """Make an image of a container, with the configuration of its base and nothing else."""
        repository, tag = image.rsplit(":", 1)
        command = self.client.inspect_image(base)["Config"]["Cmd"]
        conf = {"Cmd": command, "Labels": self._image_labels()}
        self.client.commit(container, repository, tag, conf=conf)

    def _image_labels(self) -> dict[str, str]:
        return {INSTALLATION_LABEL: self._conf.installation}

    def _kill(self, container: str, too_late: threading.Event) -> None:
        too_late.set()
        with suppress(docker.errors.APIError):
            self.client.kill(container)

    # Containers

    def start(self, spec: RunSpec) -> Container:
        """See Engine."""
        mounts = [_bind(spec.link, "/run/pratai")]
        tmp = f"rw,exec,nosuid,nodev,size={self._conf.driver.tmp_mb}m,mode=1777"
        host = self._limits(spec.memory, spec.cpus, self._conf.driver.pids, spec.network)
        host.update(
            read_only=True,
            mounts=mounts,
            tmpfs={"/tmp": tmp},  # noqa: S108 - the container's own
        )
        with engine_errors():
            try:
                container = self._started(spec, dict(host))
            except docker.errors.NotFound as error:
                if "network" not in str(error):
                    raise
                self._mend_network()
                container = self._started(spec, dict(host))
        return DockerContainer(self, container)

    def _started(self, spec: RunSpec, host: dict[str, Any]) -> str:
        container = self._create(spec.name, spec.image, host, spec.environment)
        try:
            self.client.start(container)
        except BaseException:
            self.remove_container(container)
            raise
        return container

    def _build(self, spec: BuildSpec) -> dict[str, Any]:
        mounts = [_bind(spec.settings, "/run/build")]
        if spec.find_links is not None:
            mounts.append(_bind(spec.find_links, "/run/build/find-links"))
        # Builds need more room than a tmpfs; an anonymous volume is in no layer either.
        mounts.append(Mount("/tmp", None, type="volume"))  # noqa: S108 - the container's own
        host = self._limits(spec.memory, spec.cpus, spec.pids, spec.network)
        return {**host, "mounts": mounts, "command": [_INSTALL]}

    def _limits(self, memory: int, cpus: float, pids: int, network: str) -> dict[str, Any]:
        """Return what is the same for every container that runs a user's code."""
        size = memory * limits.MIB
        return {
            "mem_limit": size,
            "memswap_limit": size,
            # Docker refuses more than the host has, where more is simply no limit.
            "nano_cpus": int(min(cpus, self._processors) * 1e9),
            "pids_limit": pids,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "ipc_mode": "private",
            "network_mode": self._network.name if network == "bridge" else network,
            "ulimits": [
                Ulimit(name="nofile", soft=_OPEN_FILES, hard=_OPEN_FILES),
                Ulimit(name="core", soft=0, hard=0),
            ],
        }

    @contextmanager
    def _created(self, name: str, image: str, host: dict[str, Any]) -> Iterator[str]:
        """Make a container that is removed when the block ends."""
        container = self._create(name, image, host)
        try:
            yield container
        finally:
            self.remove_container(container)

    def _create(
        self,
        name: str,
        image: str,
        host: dict[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> str:
        command = host.pop("command", None)
        host_config = self.client.create_host_config(log_config={"Type": "none"}, **host)
        created = self.client.create_container(
            image,
            command=command,
            name=name,
            environment=dict(environment or {}),
            labels=self._labels,
            host_config=host_config,
            stdin_open=False,
        )
        container_id: str = created["Id"]
        return container_id


def _check_limits(info: dict[str, Any]) -> None:
    """Refuse a Docker Engine that would only warn where a limit does not hold."""
    missing = [name for name in _NEEDED if not info.get(name)]
    if not info.get("SwapLimit") and len(Path("/proc/swaps").read_text().splitlines()) > 1:
        missing.append("SwapLimit")
    if missing:
        raise EngineError(f"this host cannot apply limits that Pratai needs: {', '.join(missing)}")


def _check_build(state: dict[str, Any], too_late: threading.Event, spec: BuildSpec) -> None:
    if too_late.is_set():
        raise BuildError(f"installing the requirements took longer than {spec.timeout} s")
    if state["OOMKilled"]:
        raise BuildError(f"installing the requirements took more than {spec.memory} MB of memory")
    if state["ExitCode"] != 0:
        raise BuildError("installing the requirements failed")


def _frames(output: Any) -> Iterator[tuple[int, bytes]]:
    """Yield what a container prints, by stream."""
    frames: Iterator[tuple[int, bytes]] = frames_iter(output, tty=False)  # type: ignore[no-untyped-call]
    return frames


def _bind(source: Path, target: str) -> Mount:
    return Mount(target, str(source), type="bind", read_only=True, propagation="rprivate")


def _tar(files: Iterable[PackageFile]) -> bytes:
    """Pack files with nothing in them but paths, bytes and whether they may be executed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size = len(file.content)
            entry.mode = 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()
