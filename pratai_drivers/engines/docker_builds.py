"""Builds in throwaway containers: what a runtime's ``install`` leaves behind becomes a layer."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import docker
from docker.utils.socket import frames_iter

from pratai_common import limits
from pratai_common.errors import BuildError
from pratai_common.log_context import carried
from pratai_common.package import PackageFile
from pratai_drivers.engines.base import OWN_FILES, BuildSpec, Print
from pratai_drivers.engines.docker_client import NAME_LABEL, connect, engine_errors
from pratai_drivers.engines.docker_containers import Containers, bind
from pratai_drivers.engines.docker_tar import packed

LOG = logging.getLogger(__name__)
_PROGRAMS = "/opt/pratai/runner"
_OUTPUT = {"stdout": 1, "stderr": 1, "stream": 1}
_WAIT_SECONDS = 60
_WRITE_SECONDS = 600
"""How long Docker may take to write a layer, which can be as large as ``[build] disk_mb``."""

_LOOK_SECONDS = 0.5
_LONGEST_LOOK_SECONDS = 10
_LOOK_SHARE = 4
"""The look at the disk comes again after this many times what it took: a large build is looked at
less often, so that the looking stays a small part of the work.
"""


class Builds:
    """Makes layers on a node's containers."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    def install(self, spec: BuildSpec, say: Print) -> None:
        """See Engine."""
        with engine_errors(), self._started(spec) as (container, output):
            watch = _Watch(container, spec)
            watch.start()
            try:
                for _stream, chunk in _frames(output):
                    say(chunk)
                self._containers.client.wait(container, timeout=spec.timeout + _WAIT_SECONDS)
            finally:
                watch.stop()
            state = self._containers.client.inspect_container(container)["State"]
            _check(state, watch.verdict, spec)
            if spec.image is not None:
                self._commit(container, spec.base, spec.image)

    def add_files(self, base: str, image: str, name: str, files: Iterable[PackageFile]) -> None:
        """See Engine; ``name`` is the container's."""
        with engine_errors(), self._containers.created(name, base, {}) as container:
            with closing(connect(_WRITE_SECONDS)) as client:
                client.put_archive(container, OWN_FILES.function, packed(files))
            self._commit(container, base, image)

    @contextmanager
    def _started(self, spec: BuildSpec) -> Iterator[tuple[str, Any]]:
        """Run a build's container; yields its id and its output."""
        bounded = self._containers.bounded(
            spec.memory, spec.cpus, spec.pids, spec.network, file_mb=spec.disk
        )
        mounts = [bind(spec.settings, "/run/build")]
        mounts += [bind(path, f"/run/build/{name}") for name, path in spec.folders.items()]
        host = {**bounded, "mounts": mounts}
        client = self._containers.client
        command = [f"{_PROGRAMS}/{spec.program}"]
        with self._containers.created(spec.name, spec.base, host, command) as container:
            output = client.attach_socket(container, _OUTPUT)
            try:
                client.start(container)
                yield container, output
            finally:
                output._response.close()  # docker-py's: closing the output leaves the socket open

    def _commit(self, container: str, base: str, image: str) -> None:
        """Make an image of a container, with the configuration of its base and nothing else."""
        client = self._containers.client
        repository, tag = image.rsplit(":", 1)
        command = client.inspect_image(base)["Config"]["Cmd"]
        conf = {"Cmd": command, "Labels": {**self._containers.image_labels, NAME_LABEL: image}}
        with closing(connect(_WRITE_SECONDS)) as patient:
            patient.commit(container, repository, tag, conf=conf)


class _Watch:
    """Kills a build that takes too long, or too much of the disk, or that nobody wants any more.

    Docker bounds what a container writes only on file systems with quotas. So the size is looked
    at again and again, and a limit on each file's size keeps one look from coming far too late.
    Whatever Docker answers, or does not in time, it is tried again until the build has ended.
    """

    def __init__(self, container: str, spec: BuildSpec) -> None:
        self._container = container
        self._spec = spec
        self._ends = time.monotonic() + spec.timeout
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=carried(self._serve), name="build-watch", daemon=True
        )
        self.verdict: str | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching: the build has ended."""
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        pause = _LOOK_SECONDS
        while not self._ended.wait(pause):
            began = time.monotonic()
            try:
                self._look()
            except (docker.errors.DockerException, OSError) as error:
                LOG.warning("container %s of a build: %s", self._container, error)
            pause = max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - began))
            if self.verdict is None:
                pause = min(pause, max(0.0, self._ends - time.monotonic()))

    def _look(self) -> None:
        with closing(connect(_LONGEST_LOOK_SECONDS)) as client:
            if self._spec.given_up():
                self.verdict = self.verdict or "was given up"
            elif time.monotonic() >= self._ends:
                self.verdict = self.verdict or f"took longer than {self._spec.timeout} s"
            elif self._written(client) > self._spec.disk * limits.MIB:
                self.verdict = self.verdict or f"took more than {self._spec.disk} MB of disk"
            if self.verdict is not None:
                client.kill(self._container)

    def _written(self, client: Any) -> int:
        """Return the bytes that the container has added to its image."""
        found = client.containers(all=True, size=True, filters={"id": self._container})
        return sum(each.get("SizeRw") or 0 for each in found)


def _check(state: dict[str, Any], verdict: str | None, spec: BuildSpec) -> None:
    if verdict is None and state["OOMKilled"]:
        verdict = f"took more than {spec.memory} MB of memory"
    if verdict is None and state["ExitCode"] != 0:
        verdict = "failed"
    if verdict is not None:
        raise BuildError(f"installing the requirements {verdict}")


def _frames(output: Any) -> Iterator[tuple[int, bytes]]:
    """Yield what a container prints, by stream."""
    frames: Iterator[tuple[int, bytes]] = frames_iter(output, tty=False)  # type: ignore[no-untyped-call]
    return frames
