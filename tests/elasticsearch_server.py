"""Elasticsearch as tests use it: real nodes on loopback, one or several, and what befalls them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import requests

from tests.ports import free_port
from tests.services import Service
from tests.waiting import until


class Cluster:
    """One or more nodes; ``hosts`` are their addresses. Each can be killed, and started again."""

    def __init__(self, size: int = 1) -> None:
        ports = [free_port() for _ in range(2 * size)]
        self._services = [Service("elasticsearch", port=port) for port in ports[:size]]
        self._transports = ports[size:]
        self.hosts = [f"http://127.0.0.1:{port}" for port in ports[:size]]
        self._dead: set[int] = set()
        self._session = requests.Session()
        self._session.trust_env = False

    def __len__(self) -> int:
        return len(self._services)

    def start(self) -> "Cluster":
        """Start all nodes, together: each waits for a majority."""
        with ThreadPoolExecutor(len(self)) as pool:
            list(pool.map(self.start_node, range(len(self))))
        return self

    def start_node(self, number: int) -> None:
        """Start one node, with the data it has; returns when it can be used."""
        peers = {
            "PRATAI_ELASTICSEARCH_NODE": f"node-{number}",
            "PRATAI_ELASTICSEARCH_TRANSPORT": str(self._transports[number]),
            "PRATAI_ELASTICSEARCH_PEERS": ",".join(
                f"127.0.0.1:{port}" for port in self._transports
            ),
        }
        self._services[number].start(**(peers if len(self) > 1 else {}))
        self._dead.discard(number)

    def kill_node(self, number: int) -> None:
        """End one node as a loss of power would."""
        self._dead.add(number)
        self._services[number].kill()

    @contextmanager
    def killed(self, number: int = 0) -> Iterator[None]:
        """Kill a node, and start it again when the block ends."""
        self.kill_node(number)
        try:
            yield
        finally:
            self.start_node(number)

    @contextmanager
    def stalled(self, number: int = 0) -> Iterator[None]:
        """Let a node answer nothing while the block runs; its connections stay open."""
        with self._services[number].hanging():
            yield

    def remove(self) -> None:
        """Stop all nodes and forget what was in them."""
        self._session.close()
        for service in self._services:
            service.remove()

    def holder_of(self, index: str) -> int:
        """Return the node that has the primary copy of the first shard of an index."""
        shards = self.call("GET", f"_cat/shards/{index}?format=json&h=prirep,node")
        name: str = next(each["node"] for each in shards if each["prirep"] == "p")
        return int(name.removeprefix("node-"))

    def heal(self) -> None:
        """Wait until all nodes are there, and every copy of every shard is as it should be."""
        # By itself it waits a minute for a node to come back before it makes copies elsewhere.
        self.call("PUT", "*/_settings", {"index.unassigned.node_left.delayed_timeout": "0"})

        def healthy() -> bool:
            health = self.call("GET", "_cluster/health")
            return (health["status"], health["number_of_nodes"]) == ("green", len(self))

        until(healthy, "the cluster is whole")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a living node answers to a call of the administrator's."""
        host = next(host for number, host in enumerate(self.hosts) if number not in self._dead)
        answer = self._session.request(method, f"{host}/{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()
