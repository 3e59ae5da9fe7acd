"""The faults: what befalls an installation, and until when it suffers.

A fault is inflicted, then healed, and then it passes. What a launcher starts again heals by itself.
Each is for one time, and made right before it is inflicted.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pratai_api.connections import children, listeners
from pratai_common.clock import now_ms
from tests.faults.installation import Installation
from tests.faults.nodes import Node
from tests.faults.stored import Stored
from tests.waiting import until

_REFILL_SECONDS = 0.02
UNSOUND, SOUND = "the node takes no jobs for now", "the node can work again"
"""What a node says in its log."""


class Fault:
    """``stays`` says that its cause is there until it is healed: what is to recover then cannot do
    so before.
    """

    stays = True

    def __init__(self, installation: Installation) -> None:
        self.on = installation

    def inflict(self) -> None:
        """Have it happen; returns when the platform must have noticed."""
        raise NotImplementedError

    def heal(self) -> None:
        """End its cause."""

    def passed(self) -> None:
        """Wait until all is there again that was."""


# What a launcher starts again


class DaemonKilled(Fault):
    """kill -9 of one daemon; of several that do the same, the one that acts."""

    stays = False

    def __init__(self, installation: Installation, script: str) -> None:
        super().__init__(installation)
        self._script = script
        self._before = installation.front.pids()[script]

    def inflict(self) -> None:
        """See Fault."""
        os.kill(self._victim(), signal.SIGKILL)

    def passed(self) -> None:
        """See Fault."""
        until(self._again, f"{self._script} was started again")

    def _victim(self) -> int:
        return self._before[0]

    def _again(self) -> bool:
        now = self.on.front.pids().get(self._script, [])
        return len(now) == len(self._before) and self._victim() not in now


class SchedulerKilled(DaemonKilled):
    """kill -9 of the scheduler that has the lease."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation, "pratai-scheduler")
        self._active = active_scheduler(installation.stored)

    def _victim(self) -> int:
        return self._active


class ApiKilled(DaemonKilled):
    """kill -9 of an API process and its worker: others are there."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation, "pratai-api")

    def inflict(self) -> None:
        """See Fault."""
        for pid in (self._victim(), *children({self._victim()})):
            os.kill(pid, signal.SIGKILL)

    def passed(self) -> None:
        """See Fault."""
        super().passed()
        until(lambda: all(map(listeners, self.on.front.apis)), "all API processes listen")


# What runs somewhere else, and is started again there


class NodeKilled(Fault):
    """kill -9 of a node with all that would start it again, while its containers go on. They are
    removed by the node when it is started again.
    """

    stays = False

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation)
        name, engine = installation.near.name, installation.engine
        self._left = until(lambda: engine.containers(node=name), "it runs something")

    def inflict(self) -> None:
        """See Fault."""
        node = self.on.near
        node.kill()
        until(lambda: self.on.silent(node), "its lease is over")

    def heal(self) -> None:
        """See Fault."""
        self.on.near.start()

    def passed(self) -> None:
        """See Fault."""
        until(lambda: not self.on.silent(self.on.near), "it is back")
        left = set(self._left)
        until(lambda: left.isdisjoint(self.on.engine.containers()), "its containers are gone")


class EngineKilled(Fault):
    """kill -9 of the Docker Engine of both nodes."""

    def inflict(self) -> None:
        """See Fault."""
        self._noticed = [each.said(UNSOUND) for each in self.on.nodes]
        self.on.engine.kill()
        self._killed = time.time()
        until(self._all_unsound, "no node takes jobs")

    def heal(self) -> None:
        """See Fault."""
        self.on.engine.start()

    def passed(self) -> None:
        """See Fault."""
        for each in self.on.nodes:
            until(partial(sound, each), "the node can work again")
        # The engine takes a container that it was starting for one that never ran, and removing it
        # then ends nothing: what holds it is forgotten only from then on.
        engine = self.on.engine
        until(lambda: not engine.containers(made_before=self._killed), "those from before are gone")
        engine.end_forgotten()

    def _all_unsound(self) -> bool:
        now = [each.said(UNSOUND) for each in self.on.nodes]
        return all(after > before for after, before in zip(now, self._noticed, strict=True))


class ElasticsearchKilled(Fault):
    """kill -9 of the store."""

    def inflict(self) -> None:
        """See Fault."""
        self.on.cluster.kill_node(0)

    def heal(self) -> None:
        """See Fault."""
        self.on.cluster.start_node(0)


class NginxKilled(Fault):
    """kill -9 of nginx and its workers."""

    def inflict(self) -> None:
        """See Fault."""
        master = self.on.front.nginx.pid()
        workers = children({master})
        for pid in (master, *workers):  # the master first: it would start others
            os.kill(pid, signal.SIGKILL)
        until(lambda: not listeners(self.on.front.nginx.port), "nothing listens")

    def heal(self) -> None:
        """See Fault."""
        self.on.front.nginx.start()


# What goes on after a while as if nothing had happened


class SchedulerStopped(Fault):
    """SIGSTOP of the scheduler that has the lease, until that is over; then SIGCONT."""

    def inflict(self) -> None:
        """See Fault."""
        self._pid = active_scheduler(self.on.stored)
        os.kill(self._pid, signal.SIGSTOP)
        until(self._lease_is_over, "its lease is over")

    def heal(self) -> None:
        """See Fault."""
        os.kill(self._pid, signal.SIGCONT)

    def passed(self) -> None:
        """See Fault."""
        until(lambda: self.on.stored.lease()["ends_at"] > now_ms(), "a scheduler has the lease")

    def _lease_is_over(self) -> bool:
        lease = self.on.stored.lease()
        return bool(lease["ends_at"] < now_ms()) or _pid_of(self.on.stored, lease) != self._pid


class NodeStopped(Fault):
    """SIGSTOP of a node until its lease is over; then SIGCONT."""

    def inflict(self) -> None:
        """See Fault."""
        self.on.near.signal(signal.SIGSTOP)
        until(lambda: self.on.silent(self.on.near), "its lease is over")

    def heal(self) -> None:
        """See Fault."""
        self.on.near.signal(signal.SIGCONT)

    def passed(self) -> None:
        """See Fault."""
        until(lambda: not self.on.silent(self.on.near), "it is back")


class LinkCut(Fault):
    """Nothing passes between a node and all others until its lease is over; it goes on running."""

    def inflict(self) -> None:
        """See Fault."""
        self.on.link.cut()
        until(lambda: self.on.silent(self.on.far), "its lease is over")

    def heal(self) -> None:
        """See Fault."""
        self.on.link.mend()

    def passed(self) -> None:
        """See Fault."""
        until(lambda: not self.on.silent(self.on.far), "it is back")


class DiskFull(Fault):
    """The disk of a node's spool takes nothing more: the node takes no jobs."""

    def inflict(self) -> None:
        """See Fault."""
        node = self.on.near
        before = node.said(UNSOUND)
        self._filler = node.spool / "filler"
        self._over = threading.Event()
        self._filling = threading.Thread(target=self._keep_full, daemon=True)
        self._filling.start()
        until(lambda: node.said(UNSOUND) > before, "the node says that it takes no jobs")
        began = now_ms()
        until(lambda: self.on.ended(began), "what came since is run elsewhere")
        self._known_at = now_ms()

    def heal(self) -> None:
        """See Fault."""
        self._healed_at = now_ms()
        self._over.set()
        self._filling.join()
        self._filler.unlink()

    def passed(self) -> None:
        """See Fault."""
        until(lambda: sound(self.on.near), "the node can work again")
        taken = [
            attempt
            for run in self.on.runs(0)
            for attempt in run["record"]["attempts"]
            if attempt["node"] == self.on.near.name
            and self._known_at < attempt["started_at"] < self._healed_at
        ]
        assert not taken, (self._known_at, self._healed_at, taken)

    def _keep_full(self) -> None:
        """Take what the node lets go of, too: results that are stored, journals that are done."""
        while not self._over.wait(_REFILL_SECONDS):
            fill(self._filler)


FAULTS: dict[str, Callable[[Installation], Fault]] = {
    "api": ApiKilled,
    "agent": partial(DaemonKilled, script="pratai-agent"),
    "scheduler": SchedulerKilled,
    "collector": partial(DaemonKilled, script="pratai-collector"),
    "node": NodeKilled,
    "dockerd": EngineKilled,
    "elasticsearch": ElasticsearchKilled,
    "nginx": NginxKilled,
    "scheduler-stopped": SchedulerStopped,
    "node-stopped": NodeStopped,
    "link-cut": LinkCut,
    "disk-full": DiskFull,
}


def active_scheduler(stored: Stored) -> int:
    """Return the pid of the scheduler that has the lease."""
    return _pid_of(stored, stored.lease())


def sound(node: Node) -> bool:
    """Say whether the last that a node said of its health is that it can work."""
    said = node.log.read_text()
    return said.rfind(SOUND) > said.rfind(UNSOUND)


def fill(path: Path) -> None:
    """Write to a file until the disk is full."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _pid_of(stored: Stored, lease: dict[str, Any]) -> int:
    return int(stored.daemon("scheduler", lease["holder"])["pid"])
