"""What faults befall: the parts of the openstack stack that an event passes on its way.

nginx stands before three API processes, there are two of every other daemon, and the store is
Elasticsearch. Two nodes share a Docker Engine of the installation's own: the one called ``far`` is
in a network namespace, at the end of a link that can be cut, the one called ``near`` keeps its
results on a small disk.
"""

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from pratai_common.clock import now_ms
from tests.elasticsearch_server import Cluster
from tests.engine import OwnEngine, needed_images
from tests.faults.clients import Clients
from tests.faults.nodes import Node
from tests.faults.senders import DistantSender, Waiting, Webhook
from tests.faults.stored import Stored
from tests.front import NUMBERS, Front
from tests.namespace import Link, Namespace, run
from tests.packages import package
from tests.ports import free_port
from tests.waiting import until

Leases = Mapping[str, float]
"""Options of [scheduler]. Those that are not named are as an operator has them who sets none."""

SHORT: Leases = {"node_lease_seconds": 2, "lease_seconds": 2, "adopt_seconds": 2}
ORDINARY: Leases = {"node_lease_seconds": 10}

DENSE_SECONDS = 1.0
"""From one event of a sender to its next: more than two nodes on two cores can start at once."""

CALM_SECONDS = 4.0
"""The same, so that recovery is no queue's: each event finds room when nothing is amiss."""

_INSTANCES = (1, 2)
_PROGRAMS = [
    *(f"pratai-{role}@{number}" for role in ("collector", "scheduler") for number in _INSTANCES),
    *(f"pratai-api@{number}" for number in NUMBERS),
    *(f"pratai-agent@{number}" for number in _INSTANCES),
]
_PREFIX = "faults"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_DISK = "size=4m"
_MODULE = package("import time\ndef main(p=None):\n    time.sleep(0.5)\n    return p\n")
"""It sleeps, so that at any moment some are running."""


class Functions(NamedTuple):
    """The functions that events run, by how they come. Each returns what it is given."""

    submitted: str
    delivered: str
    waited_for: str
    ticking: str


class Installation(NamedTuple):
    """See the module."""

    cluster: Cluster
    stored: Stored
    front: Front
    engine: OwnEngine
    link: Link
    far: Node
    near: Node
    functions: Functions
    node_lease_ms: int
    pause: float

    @property
    def nodes(self) -> tuple[Node, Node]:
        """Both nodes."""
        return self.far, self.near

    def silent(self, node: Node) -> bool:
        """Say whether a node was not heard of for longer than its lease."""
        return now_ms() - int(self.stored.node(node.name)["seen_at"]) > self.node_lease_ms

    def runs(self, since: int) -> list[dict[str, Any]]:
        """Return all runs of all functions that were accepted since then, milliseconds."""
        return self.stored.runs(*self.functions, since=since)

    def ended(self, since: int) -> int:
        """Return how many of these are final."""
        return self.stored.ended(*self.functions, since=since)

    def clients(self) -> Clients:
        """Return clients who send in each of the ways that there are."""
        url, functions = self.front.url, self.functions
        endpoint = self.front.get(f"/v1/functions/{functions.delivered}")["endpoint"]
        senders = [
            DistantSender(url, functions.submitted),
            DistantSender(url, functions.submitted),
            Webhook(url, functions.delivered, endpoint, _SECRET),
            Waiting(url, functions.waited_for),
        ]
        return Clients(senders, self.pause)


@contextmanager
def installation(
    folder: Path, cluster: Cluster, leases: Leases, pause: float = DENSE_SECONDS
) -> Iterator[Installation]:
    """Run an installation whose store is a cluster that runs, and leave nothing of it. ``pause`` is
    that of its clients, in seconds.
    """
    with ExitStack() as exits:
        engine, space = OwnEngine(), Namespace()
        exits.callback(engine.remove)
        exits.callback(space.remove)
        link = Link(space)
        exits.callback(link.remove)
        front = Front(folder, _settings(folder, cluster, link, leases), link.here, curve=True)
        exits.callback(Stored(cluster, _PREFIX).remove)
        exits.callback(front.stop)
        engine.start()
        engine.load(needed_images(front.build_conf))
        far = Node(front, "far", engine.url, f"tcp://{link.there}:0", space)
        near = Node(front, "near", engine.url, "tcp://127.0.0.1:0", None)
        run("mount", "-t", "tmpfs", "-o", _DISK, "spool", str(near.spool))
        exits.callback(run, "umount", str(near.spool))
        front.make_keys("init")
        for node in (far, near):
            exits.callback(node.stop)
            front.make_keys("node", node.name)
            node.start()
        front.start()
        functions = _functions(front)
        stored = Stored(cluster, _PREFIX)
        until(lambda: stored.ended(functions.ticking), "the timer ticks")
        lease_ms = int(1000 * leases["node_lease_seconds"])
        yield Installation(
            cluster, stored, front, engine, link, far, near, functions, lease_ms, pause
        )


@contextmanager
def alone(leases: Leases, pause: float = DENSE_SECONDS) -> Iterator[Installation]:
    """Run an installation with a cluster of its own. Its folder, with all logs, is kept where the
    block fails. ``pause`` is that of its clients, in seconds.
    """
    folder, cluster = Path(mkdtemp(prefix="pratai-faults-")), Cluster()
    try:
        with installation(folder, cluster.start(), leases, pause) as running:
            yield running
    except BaseException:
        print(f"what was logged is in {folder}")
        raise
    finally:
        cluster.remove()
    shutil.rmtree(folder)


def _settings(
    folder: Path, cluster: Cluster, link: Link, leases: Leases
) -> dict[str, dict[str, Any]]:
    """Return the settings of all, and write those of each instance."""
    sockets = {}
    for role in ("collector", "scheduler", "agent"):
        addresses = [f"tcp://{link.here}:{free_port()}" for _ in _INSTANCES]
        for number, address in zip(_INSTANCES, addresses, strict=True):
            lines = ["[DEFAULT]", f"log_file = pratai-{role}@{number}.log"]
            if role != "agent":
                sockets[role] = ",".join(addresses)
                lines += ["[sockets]", f"{role}_bind = {address}"]
            (folder / f"pratai-{role}@{number}.conf").write_text("\n".join([*lines, ""]))
    return {
        "store": {
            "driver": "elasticsearch",
            "hosts": ",".join(cluster.hosts),
            "index_prefix": _PREFIX,
            "refresh_ms": 200,
        },
        "launcher": {"programs": ",".join(_PROGRAMS)},
        "sockets": sockets,
        "scheduler": dict(leases),
        "driver": {"sweep_seconds": 0.5},
        # What is left is counted when nothing runs: soon after that nothing waits either.
        "pool": {"idle_seconds": 2, "blanks": 0},
        "nginx": {"node_networks": f"127.0.0.0/8,{link.network}"},
    }


def _functions(front: Front) -> Functions:
    delivered = {"public": True, "auth": "standard", "auth_secret": _SECRET}
    with ThreadPoolExecutor() as pool:
        made = [
            pool.submit(front.function, _MODULE, **metadata)
            for metadata in (
                {},
                delivered,
                {"type": "wait_for_response"},
                {"event": "timer", "frequency": 2 / 60},
            )
        ]
        return Functions(*(each.result() for each in made))
