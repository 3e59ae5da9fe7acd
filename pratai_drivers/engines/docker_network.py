"""A node's own network: a bridge whose containers see neither one another nor the host.

The packet filter's rules are set by a container of Pratai's own (``netrules/``) in the host's
network namespace. A node that cannot set them does not start.
"""

import hashlib
import ipaddress
import secrets
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import docker
from oslo_config import cfg

from pratai_common.errors import EngineError
from pratai_drivers.engines.docker_containers import Containers

_RULES_SECONDS = 60


def control_plane(conf: cfg.ConfigOpts) -> list[str]:
    """Return the IPv4 addresses of schedulers, collectors and the registry of images, if there is
    one; the bridge knows no others. Raises EngineError for a name that has no address.
    """
    addresses: set[str] = set()
    registry = [conf.registry.url] if conf.registry.url else []
    for url in (*conf.sockets.scheduler, *conf.sockets.collector, *registry):
        host = urlsplit(url).hostname
        if host is None or _is_ipv6(host):
            continue
        try:
            addresses.update(socket.gethostbyname_ex(host)[2])
        except OSError as error:
            raise EngineError(f"{host} has no address: {error}") from error
    return sorted(addresses)


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


class Network:
    """A node's Docker network with rules; ``rules_image`` must be set before ``create``."""

    def __init__(self, containers: Containers, conf: cfg.ConfigOpts, node: str) -> None:
        self._containers = containers
        self._conf = conf
        self.name = f"{conf.installation}-{node}"
        self._bridge = "pt" + hashlib.sha256(self.name.encode()).hexdigest()[:10]
        self.rules_image = ""

    def create(self) -> None:
        """Make the network, replacing one that was left behind.

        The rules come first: they wait for the bridge, so that no container is ever on it without.
        """
        self._remove_network()
        self._rules(["apply", self._bridge, *self._conf.driver.deny, *control_plane(self._conf)])
        self._containers.client.create_network(
            self.name,
            driver="bridge",
            options={
                "com.docker.network.bridge.name": self._bridge,
                "com.docker.network.bridge.enable_icc": "false",
            },
            labels=self._containers.labels,
            enable_ipv6=False,
        )

    def exists(self) -> bool:
        """Say whether the network is there."""
        found = self._containers.client.networks([self.name])
        return any(network["Name"] == self.name for network in found)

    def remove(self) -> None:
        """Take the network away, and only then its rules: no container is ever on it without."""
        self._remove_network()
        self._rules(["remove", self._bridge])

    def _remove_network(self) -> None:
        with suppress(docker.errors.NotFound):
            self._containers.client.remove_network(self.name)

    def _rules(self, arguments: list[str]) -> None:
        host = {
            "network_mode": "host",
            "cap_drop": ["ALL"],
            "cap_add": ["NET_ADMIN", "NET_RAW"],
            "security_opt": ["no-new-privileges"],
            "read_only": True,
            "tmpfs": {"/run": "rw,nosuid,nodev,noexec,size=1m"},
            "log_config": {"Type": "json-file"},
        }
        name = f"{self.name}-rules-{secrets.token_hex(4)}"
        client = self._containers.client
        with self._containers.created(name, self.rules_image, host, arguments) as container:
            client.start(container)
            code = client.wait(container, timeout=_RULES_SECONDS)["StatusCode"]
            if code != 0:
                said = client.logs(container, tail=5).decode(errors="replace").strip()
                raise EngineError(f"the network's rules cannot be set: {said}")
