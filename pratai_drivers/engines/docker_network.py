"""A node's own network: a bridge whose containers see neither one another nor the host.

The packet filter's rules are set by a container of Pratai's own (``netrules/``) in the host's
network namespace. A node that cannot set them does not start.
"""

import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import docker
from oslo_config import cfg

from pratai_common.errors import EngineError

_RULES_SECONDS = 60


def control_plane(conf: cfg.ConfigOpts) -> list[str]:
    """Return the addresses of the scheduler and the collector."""
    addresses = set()
    for url in (conf.sockets.scheduler, conf.sockets.collector):
        host = urlsplit(url).hostname
        if host is None:
            continue
        try:
            addresses.add(socket.gethostbyname(host))
        except OSError as error:
            raise EngineError(f"{host} has no address: {error}") from error
    return sorted(addresses)


class Network:
    """A Docker network with rules; ``rules_image`` must be set before ``create``."""

    def __init__(self, name: str, bridge: str) -> None:
        self.name = name
        self.bridge = bridge
        self.rules_image = ""

    def create(self, client: Any, labels: dict[str, str], denied: list[str]) -> None:
        """Make the network, replacing one that was left behind, then its rules."""
        self._remove_network(client)
        client.create_network(
            self.name,
            driver="bridge",
            options={
                "com.docker.network.bridge.name": self.bridge,
                "com.docker.network.bridge.enable_icc": "false",
            },
            labels=labels,
            enable_ipv6=False,
        )
        self._rules(client, labels, ["apply", self.bridge, *denied])

    def exists(self, client: Any) -> bool:
        """Say whether the network is there."""
        return any(network["Name"] == self.name for network in client.networks([self.name]))

    def remove(self, client: Any, labels: dict[str, str]) -> None:
        """Take the rules and the network away."""
        self._rules(client, labels, ["remove", self.bridge])
        self._remove_network(client)

    def _remove_network(self, client: Any) -> None:
        with suppress(docker.errors.NotFound):
            client.remove_network(self.name)

    def _rules(self, client: Any, labels: dict[str, str], arguments: list[str]) -> None:
        host_config = client.create_host_config(
            network_mode="host",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN", "NET_RAW"],
            security_opt=["no-new-privileges"],
            read_only=True,
            tmpfs={"/run": "rw,nosuid,nodev,noexec,size=1m"},
        )
        created = client.create_container(
            self.rules_image, command=arguments, labels=labels, host_config=host_config
        )
        container = created["Id"]
        try:
            client.start(container)
            code = client.wait(container, timeout=_RULES_SECONDS)["StatusCode"]
            if code != 0:
                said = client.logs(container, tail=5).decode(errors="replace").strip()
                raise EngineError(f"the network's rules cannot be set: {said}")
        finally:
            client.remove_container(container, force=True, v=True)
