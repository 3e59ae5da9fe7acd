"""The store is killed, loses a node, takes no writes, or stalls: what was accepted ends once.

Meanwhile the API says so, and agent, scheduler and collector hold and catch up. Each test prints
how much was accepted, stored, lost and doubled, and how long it was until events were accepted.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.elasticsearch_server import Cluster
from tests.faults.platform import Platform, platform
from tests.forwarder import Forwarder
from tests.refusals import refused
from tests.stack import Stack

MORE_THAN_THREADS = 80
DISK = "cluster.routing.allocation.disk"


class Way(Forwarder):
    """A way to a server, on which answers to writes may get lost."""

    loses = False

    def passed_on(self, received: bytes) -> bytes:
        lost = self.loses and received.startswith(b"HTTP/") and b'"items"' in received
        return b"" if lost else received


class Apart(NamedTuple):
    platform: Platform
    way: Way


@pytest.fixture(scope="module")
def server(elasticsearch_server: Cluster) -> Cluster:
    """A single server."""
    # It looks at the disk each half minute by itself; more often than this it cannot.
    often = {"persistent": {"cluster.info.update.interval": "10s"}}
    elasticsearch_server.call("PUT", "_cluster/settings", often)
    return elasticsearch_server


@pytest.fixture(scope="module")
def alone(server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform on a single server."""
    with platform(server, tmp_path_factory.mktemp("alone")) as running:
        yield running


@pytest.fixture(scope="module")
def apart(server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """A platform that reaches a single server by a way of its own."""
    way = Way(urlsplit(server.hosts[0]).port or 0)
    try:
        folder, hosts = tmp_path_factory.mktemp("apart"), [f"http://127.0.0.1:{way.port}"]
        with platform(server, folder, hosts=hosts) as running:
            yield Apart(running, way)
    finally:
        way.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Platform]:
    """A platform on a cluster of three, which keeps everything twice."""
    cluster = Cluster(3)
    try:
        with platform(cluster.start(), tmp_path, timeout_seconds=10) as running:
            yield running
    finally:
        cluster.remove()


def unavailable(stack: Stack, method: str, path: str, **arguments: Any) -> None:
    answer = stack.call(method, path, **arguments)
    refused(answer, 503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@contextmanager
def full_disk(cluster: Cluster) -> Iterator[None]:
    """Let the server find its disk too full: at the flood stage it takes no more writes."""
    stages = ("low", "high", "flood_stage")
    settings: dict[str, object] = {f"{DISK}.watermark.{stage}": "1000pb" for stage in stages}
    settings[f"{DISK}.threshold_enabled"] = True
    cluster.call("PUT", "_cluster/settings", {"persistent": settings})
    try:
        yield
    finally:
        cluster.call("PUT", "_cluster/settings", {"persistent": dict.fromkeys(settings)})


def test_a_single_server_is_killed_and_started_again(alone: Platform) -> None:
    with alone.clients() as clients:
        clients.go_on()
        before = alone.ticks()
        with alone.cluster.killed():
            clients.are_refused()
            some = next(iter(clients.accepted.values())).request_id
            for path in (f"/v1/requests/{some}", "/v1/requests", "/v1/functions", "/v1/status"):
                unavailable(alone.stack, "GET", path)
            assert alone.stack.call("GET", "/healthcheck").ok
        recovery = clients.go_on()
    alone.check(clients, recovery)
    later = alone.later_ticks(before)
    # The latest tick of the outage is fired afterwards, those before it are not.
    assert later[-1] - before[-1] > len(later)


def test_a_node_of_a_cluster_is_killed(three: Platform) -> None:
    """The one that takes the writes of requests; it comes back."""
    with three.clients() as clients:
        clients.go_on()
        before = three.ticks()
        victim = three.cluster.holder_of(three.stored.requests)
        three.cluster.kill_node(victim)
        recovery = clients.go_on()
    three.check(clients, recovery)
    three.later_ticks(before)
    three.cluster.start_node(victim)
    three.cluster.heal()
    # Whichever copy answers now.
    three.check(clients, recovery)


def test_the_disk_is_full(alone: Platform) -> None:
    """Reads go on, and so do writes when there is room again."""
    with alone.clients() as clients:
        clients.go_on()
        before = alone.ticks()
        path = f"/v1/functions/{clients.function_id}"
        with full_disk(alone.cluster):
            clients.are_refused()
            some = next(iter(clients.accepted.values())).request_id
            unavailable(alone.stack, "POST", path, json={"payload": 1})
            unavailable(alone.stack, "PATCH", path, json={"description": "new"})
            assert alone.stack.get(path)["description"] == ""
            assert alone.stack.get(f"/v1/requests/{some}")["request_id"] == some
            assert alone.stack.get("/v1/requests")["requests"]
        recovery = clients.go_on()
        assert alone.stack.call("PATCH", path, json={"description": "new"}).ok
    alone.check(clients, recovery)
    alone.later_ticks(before)


def test_the_server_stalls(alone: Platform) -> None:
    """Its connections stay open and nothing is answered: no thread of the API waits for ever."""
    with alone.clients() as clients:
        clients.go_on()
        before = alone.ticks()
        with alone.cluster.stalled():
            clients.are_refused(8)
            path = f"/v1/functions/{clients.function_id}"
            with ThreadPoolExecutor(MORE_THAN_THREADS) as pool:
                calls = [
                    pool.submit(unavailable, alone.stack, "GET", path)
                    for _ in range(MORE_THAN_THREADS)
                ]
            for call in calls:
                call.result()
            assert alone.stack.call("GET", "/healthcheck").ok
        recovery = clients.go_on()
    alone.check(clients, recovery)
    alone.later_ticks(before)


def test_answers_to_writes_are_lost(apart: Apart) -> None:
    """What was stored all the same, by whichever daemon, is known again when it is repeated."""
    with apart.platform.clients() as clients:
        clients.go_on()
        before = apart.platform.ticks()
        apart.way.loses = True
        clients.are_refused()
        apart.way.loses = False
        recovery = clients.go_on()
    assert apart.platform.check(clients, recovery) == len(clients.refusals)
    apart.platform.later_ticks(before)


def test_daemons_end_while_the_store_is_away(apart: Apart) -> None:
    """None has to be killed, though none can say that it leaves."""
    apart.way.close()
    apart.platform.stack.stop()
    apart.way.open()
    log = (apart.platform.stack.folder / "launcher.log").read_text()
    assert "stopped: pratai-scheduler" in log
    assert "SIGKILL" not in log
