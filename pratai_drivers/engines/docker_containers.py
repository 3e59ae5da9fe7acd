"""Containers: how they are made, what may become of them, and how what is left of them goes.

Every container carries the labels of its installation and its node, and only what carries both is
ever removed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker
import requests
from docker.types import Mount, Ulimit

from pratai_common import limits
from pratai_drivers.engines.base import Container, Exit
from pratai_drivers.engines.control_groups import ControlGroups
from pratai_drivers.engines.docker_client import (
    INSTALLATION_LABEL,
    NODE_LABEL,
    Clients,
    engine_errors,
)

_OPEN_FILES = 1024
_NO_LOG = {"log_config": {"Type": "none"}}


class DockerContainer(Container):
    """A container for one event."""

    def __init__(self, containers: "Containers", container_id: str, name: str) -> None:
        self._containers = containers
        self.id = container_id
        self._name = name
        self._groups = ControlGroups(container_id)

    def wait(self, seconds: float) -> Exit | None:
        """See Container."""
        client = self._containers.client
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
        return self._groups.peak_memory()

    def cpu_seconds(self) -> float | None:
        """See Container."""
        return self._groups.cpu_seconds()

    def out_of_memory(self) -> bool:
        """See Container."""
        return self._groups.oom_kills() > 0

    def remove(self) -> None:
        """See Container. Should it not go, the next sweep takes it: nobody wants it any more."""
        self._groups.close()
        self._containers.forget(self._name)
        self._containers.remove(self.id)


class Containers:
    """The containers of one node. ``processors`` is how many the Docker Engine has."""

    def __init__(self, clients: Clients, installation: str, node: str) -> None:
        self._clients = clients
        self.image_labels = {INSTALLATION_LABEL: installation}
        self.labels = {**self.image_labels, NODE_LABEL: node}
        self.processors = 1.0
        self._wanted: set[str] = set()
        self._suspected: set[str] = set()

    @property
    def client(self) -> Any:
        """This thread's connection to the Docker Engine."""
        return self._clients.mine()

    @property
    def is_local(self) -> bool:
        """Whether the Docker Engine answers at a unix socket."""
        return str(self.client.base_url).startswith("http+docker://")

    def create(
        self,
        name: str,
        image: str,
        host: dict[str, Any],
        command: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Make a container; returns its id. It is this node's own until it is removed."""
        self._wanted.add(name)
        try:
            created = self.client.create_container(
                image,
                command=command,
                name=name,
                environment=dict(environment or {}),
                labels=self.labels,
                host_config=self.client.create_host_config(**{**_NO_LOG, **host}),
                stdin_open=False,
            )
        except BaseException:
            self.forget(name)
            raise
        container_id: str = created["Id"]
        return container_id

    @contextmanager
    def created(
        self, name: str, image: str, host: dict[str, Any], command: list[str] | None = None
    ) -> Iterator[str]:
        """Make a container that is removed when the block ends."""
        container = self.create(name, image, host, command)
        try:
            yield container
        finally:
            self.forget(name)
            self.remove(container)

    def start(
        self, name: str, image: str, host: dict[str, Any], environment: Mapping[str, str]
    ) -> str:
        """Make and start a container; returns its id."""
        container = self.create(name, image, host, environment=environment)
        try:
            self.client.start(container)
        except BaseException:
            self.forget(name)
            self.remove(container)
            raise
        return container

    def limit(self, container_id: str, memory: int, cpus: float) -> None:
        """Give a running container other limits; memory in MB."""
        size = memory * limits.MIB
        body = {"Memory": size, "MemorySwap": size, "NanoCpus": self._nano_cpus(cpus)}
        client = self.client
        # Not by the client's own method, which does not know NanoCpus.
        answer = client.post(
            f"{client.base_url}/v{client.api_version}/containers/{container_id}/update",
            json=body,
            timeout=client.timeout,
        )
        client._raise_for_status(answer)

    def forget(self, name: str) -> None:
        """Say that nobody wants a container any more."""
        self._wanted.discard(name)

    def remove(self, container_id: str) -> None:
        """Kill and remove a container with its volumes; one that is gone, or goes, is no error."""
        with engine_errors(), suppress(docker.errors.NotFound):
            try:
                self.client.remove_container(container_id, force=True, v=True)
            except docker.errors.APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise

    def remove_unwanted(self) -> list[str]:
        """Remove what this node made and wants no more; returns the names.

        Only what was found the time before too: others are just being removed.
        """
        unwanted = {
            each: name
            for each, name in self._found(self.labels).items()
            if name not in self._wanted
        }
        former, self._suspected = self._suspected, set(unwanted)
        return self._remove({each: name for each, name in unwanted.items() if each in former})

    def remove_all(self) -> None:
        """Remove everything that this node made."""
        self._wanted.clear()
        self._remove(self._found(self.labels))

    def remove_of(self, node: str) -> list[str]:
        """Remove what another node made, which is dead; returns the names."""
        labels = {**self.labels, NODE_LABEL: node}
        return self._remove(self._found(labels))

    def _found(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the containers with these labels: names by id."""
        filters = {"label": [f"{key}={value}" for key, value in labels.items()]}
        with engine_errors():
            found = self.client.containers(all=True, filters=filters)
        return {each["Id"]: each["Names"][0].removeprefix("/") for each in found if each["Names"]}

    def _remove(self, found: Mapping[str, str]) -> list[str]:
        for container_id in found:
            self.remove(container_id)
        return sorted(found.values())

    def bounded(
        self, memory: int, cpus: float, pids: int, network: str, file_mb: int | None = None
    ) -> dict[str, Any]:
        """Return the limits of a container that runs a user's code; sizes in MB."""
        size = memory * limits.MIB
        ulimits = [
            Ulimit(name="nofile", soft=_OPEN_FILES, hard=_OPEN_FILES),
            Ulimit(name="core", soft=0, hard=0),
        ]
        if file_mb is not None:
            most = file_mb * limits.MIB
            ulimits.append(Ulimit(name="fsize", soft=most, hard=most))
        return {
            "mem_limit": size,
            "memswap_limit": size,
            "nano_cpus": self._nano_cpus(cpus),
            "pids_limit": pids,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "ipc_mode": "private",
            # Nothing in a container can end its first process, so that is to be the runner.
            "init": False,
            "network_mode": network,
            "ulimits": ulimits,
        }

    def _nano_cpus(self, cpus: float) -> int:
        """Return it as Docker takes it, which refuses more than the host has: no limit at all."""
        return int(min(cpus, self.processors) * 1e9)


def bind(source: Path, target: str) -> Mount:
    """Return a read-only view of a folder of the node."""
    return Mount(target, str(source), type="bind", read_only=True, propagation="rprivate")
