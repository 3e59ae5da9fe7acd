"""A node without its sockets' other ends, and an engine that a test can hold up or take away."""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import zmq

from pratai_common import conf as configuration
from pratai_common.channels import Context, Inlet, Outlets, Peer
from pratai_common.clock import now_ms
from pratai_common.envelopes import Opener
from pratai_common.errors import BuildError, EngineError
from pratai_common.files import Folder
from pratai_common.messages import (
    Build,
    CollectorMessage,
    Job,
    Message,
    MessageDecoder,
    NodeState,
    Result,
    SchedulerMessage,
)
from pratai_common.senders import Identity, Role
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import BuildSpec, Container, Print, RunSpec
from pratai_drivers.engines.null import NullEngine
from pratai_drivers.executor import Executor
from pratai_drivers.fit import Fit
from pratai_drivers.health import Health
from pratai_drivers.line import Line
from pratai_drivers.node import Node
from pratai_drivers.outbox import Outbox
from pratai_drivers.pool import Pool
from pratai_drivers.porter import Porter
from pratai_drivers.results import Results
from pratai_drivers.secrets_cache import SecretsCache
from pratai_drivers.secrets_fetching import SecretsFetching
from pratai_drivers.slots import Slots
from pratai_drivers.spool import Spool
from pratai_drivers.starter import Starter
from pratai_drivers.transfers import Transfers
from tests.node_api import NodeApi
from tests.packages import ECHO
from tests.waiting import until

M = TypeVar("M", bound=Message)
FIT = Fit("p", "f", 1, "python3", "s", 64, 1.0, "none", "container", ())


class Workshop(NullEngine):
    """An engine whose installs end when they are let, or given up, and that can be away."""

    def __init__(self) -> None:
        super().__init__(["python3"])
        self.begun: queue.Queue[str] = queue.Queue()
        self.verdicts: queue.Queue[str | None] = queue.Queue()
        self.started: list[str] = []
        self.prepared = 0
        self.away = threading.Event()
        self.refuses = False
        self.on_start: Callable[[], None] = lambda: None

    def prepare(self, say: Print) -> dict[str, str]:
        self.prepared += 1
        return super().prepare(say)

    def lose(self, image: str) -> None:
        self._images.discard(image)

    def check(self) -> None:
        if self.away.is_set():
            raise EngineError("it is away")

    def install(self, spec: BuildSpec, say: Print) -> None:
        if spec.image is None:
            return  # wheels are downloaded for all projects
        self.begun.put(spec.image)
        while not spec.given_up():
            try:
                verdict = self.verdicts.get(timeout=0.01)
            except queue.Empty:
                continue
            if verdict is not None:
                raise BuildError(verdict)
            super().install(spec, say)
            return
        raise BuildError("was given up")

    def start(self, spec: RunSpec) -> Container:
        self.check()
        if self.refuses:
            raise EngineError("it will not start this one")
        self.started.append(spec.name)
        self.on_start()
        return super().start(spec)


class NodeWorld:
    """A node with one slot, and all that it says."""

    def __init__(self, folder: Path) -> None:
        self.now = 0
        self.folder = folder
        path = folder / "pratai.conf"
        path.write_text(f"[DEFAULT]\nstate_path = {folder}\n[driver]\nname = n\n")
        self.conf = configuration.load("test", ["--config-file", str(path)])
        self.engine = Workshop()
        self.api = NodeApi(folder)
        self.transfers = Transfers(5.0, pauses=(0.01, 0.01))
        runtimes = self.engine.prepare(lambda _output: None)
        self.builder = Builder(self.engine, self.transfers, self.conf, runtimes)
        self._context: Context = zmq.Context()
        self._inlets = [Inlet(self._context, "tcp://127.0.0.1:0") for _ in range(2)]
        self._outlets = Outlets(self._context, shared=True)
        self._decoder: MessageDecoder[Message] = MessageDecoder(SchedulerMessage | CollectorMessage)
        self._said: list[Message] = []
        scheduler, collector = (
            Peer(inlet.address, Identity(role))
            for inlet, role in zip(self._inlets, (Role.SCHEDULER, Role.COLLECTOR), strict=True)
        )
        outbox = self._outbox = Outbox([scheduler], collector, self._outlets)
        checks = [self.engine.check, self.transfers.check]
        self.health = Health(checks, pause_seconds=0.01)
        line = Line(1, 1024, 1024, 1)
        starter = Starter(self.engine, self.conf)
        self.opener = Opener.ephemeral()
        fetching = SecretsFetching(self.transfers, self.opener)
        secrets = SecretsCache(fetching.fetch, 30.0)
        self.pool = Pool(starter, self.conf, runtimes, lambda: line.claimed, known=secrets.known)
        executor = Executor(
            starter,
            self.pool,
            self.builder,
            self.transfers,
            secrets,
            outbox.to_collector,
            self.health.suspect,
            now_ms,
        )
        state = NodeState(
            node="n",
            instance="i",
            address="",
            ip="",
            pid=1,
            version="",
            joined_at=1,
            slots=1,
            memory=1024,
            runtimes={},
        )
        self.spool = Spool(Folder(folder / "spool"), 0)
        self.porter = Porter()
        results = Results(
            self.spool, self.transfers, self.api.url, outbox.to_collector, self.porter.put
        )
        self.slots = Slots(1, line, executor, self.health.suspect)
        self.node = Node(
            state,
            self.slots,
            self.pool,
            self.spool,
            outbox,
            results,
            lambda: self.health.sound,
            lambda: self.now,
            lambda: 0,
        )
        self.health.on_change = self.node.beat
        self.porter.start(results.bring)
        self.slots.start(self.node.deliver, self.node.done)
        self.node.start()

    def close(self) -> None:
        self.slots.interrupt_all("the test is over")
        assert self.slots.wait_idle(30)
        self.slots.stop()
        self.pool.stop()
        self.porter.stop()
        self.node.leave()
        self.health.stop()
        self._outbox.close()  # a slot that has become idle may yet say that it is
        for inlet in self._inlets:
            inlet.close()
        self._context.term()
        self.api.close()

    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.node.tick()

    def said(self, kind: type[M]) -> list[M]:
        """Return all messages of a kind so far."""
        for inlet in self._inlets:
            self._said += [self._decoder.decode(each.frames) for each in inlet.receive(0, 512)]
        return [each for each in self._said if isinstance(each, kind)]

    def result(self, request_id: str) -> Result:
        def look() -> Result | None:
            found = (each for each in self.said(Result) if each.request_id == request_id)
            return next(found, None)

        seen = until(look, f"there is a result of {request_id}")
        assert seen is not None
        return seen

    def build(self, request_id: str, content: bytes) -> Build:
        return Build(
            request_id=request_id,
            attempt=1,
            node="n",
            epoch=1,
            project_id="p",
            token=self.api.key.mint(request_id, 1, "n", 1, "p"),
            instance="i",
            package=self.api.package(content),
        )

    def job(self, request_id: str, content: bytes = ECHO, payload: bytes = b"7") -> Job:
        return self.api.job(request_id, content, payload)
