"""``pratai-driver``: the process around a node."""

import os
import shutil
import sys
import time
import uuid
from typing import Any

import zmq
from oslo_config import cfg
from stevedore import driver

from pratai_common import conf as configuration
from pratai_common import peers
from pratai_common.channels import Context, Inlet, Outlets
from pratai_common.clock import now_ms
from pratai_common.curve import Curve, open_curve
from pratai_common.daemon import Loop, Stop, fail, own_ip, product_version
from pratai_common.envelopes import Opener
from pratai_common.errors import EngineError
from pratai_common.files import Folder
from pratai_common.inbox import Inbox
from pratai_common.messages import MessageDecoder, NodeMessage, NodeState
from pratai_common.metrics import Metrics
from pratai_common.node_urls import node_url
from pratai_common.senders import Identity, Role
from pratai_drivers import once
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import Engine
from pratai_drivers.executor import Executor
from pratai_drivers.folders import builds_path, node_path, runs_path
from pratai_drivers.health import Health
from pratai_drivers.image_collection import ImageCollection
from pratai_drivers.leftovers import NodeLock, Sweeper
from pratai_drivers.line import Line
from pratai_drivers.node import Node
from pratai_drivers.node_metrics import Images, NodeMetrics, counted
from pratai_drivers.outbox import Outbox
from pratai_drivers.pool import Pool
from pratai_drivers.porter import Porter
from pratai_drivers.registry import open_registry
from pratai_drivers.results import Results
from pratai_drivers.secrets_cache import SecretsCache
from pratai_drivers.secrets_fetching import SecretsFetching
from pratai_drivers.slots import Slots
from pratai_drivers.spool import Spool
from pratai_drivers.starter import Starter
from pratai_drivers.transfers import Transfers

_LOCK_SECONDS = 10.0
"""How long a node waits for its lock: another may hold it while it removes what this one left."""
_PREPARE = cfg.BoolOpt(
    "prepare", default=False, help="Make the runtimes' images, saying what is done, and end."
)


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-driver", sys.argv[1:], [_PREPARE, *once.OPTS])
    plugin: Any = driver.DriverManager("pratai.engines", conf.driver.engine)
    try:
        if conf.once:
            return once.main(conf, plugin.driver)
        engine: Engine = plugin.driver.from_conf(conf)
        if conf.prepare:
            engine.prepare(_say)
            return 0
        curve = open_curve(conf, Identity(Role.NODE, conf.driver.name))
        runtimes = engine.prepare(_say)
        stop = Stop()
        with NodeLock(node_path(conf)) as lock:
            if not lock.wait(stop, _LOCK_SECONDS):
                return fail(f"a node {conf.driver.name} runs on this machine already")
            serve(conf, engine, runtimes, curve, stop)
    except EngineError as error:
        return fail(f"the node cannot work: {error}")
    return 0


def serve(
    conf: cfg.ConfigOpts,
    engine: Engine,
    runtimes: dict[str, str],
    curve: Curve | None,
    stop: Stop,
) -> None:
    """Be a node until a stop is requested."""
    for left in (runs_path(conf), builds_path(conf)):
        shutil.rmtree(left, ignore_errors=True)
    engine.open()
    context: Context = zmq.Context.instance()
    outlets = Outlets(context, curve, shared=True)
    inlet = Inlet(context, conf.driver.bind, curve)
    outbox = Outbox(peers.schedulers(conf), peers.collector(conf), outlets)
    # One for each slot, for the thread that brings results, and for the health check.
    transfers = Transfers(conf.archives.timeout, connections=conf.driver.slots + 2)
    registry = open_registry(conf, engine)
    metrics = Metrics("driver")
    builder = Builder(engine, transfers, conf, runtimes, registry, Images(metrics.registry))
    images = ImageCollection.from_conf(conf, engine, builder.records)
    spool = Spool(Folder(node_path(conf) / "spool"), _monotonic_ms())
    porter = Porter()
    results = Results(spool, transfers, node_url(conf), outbox.to_collector, porter.put)
    health = Health([engine.check, spool.check, transfers.check])
    suspect = counted(health.suspect, metrics.registry)
    line = Line(conf.driver.slots, conf.driver.memory, conf.build.memory, conf.build.parallel)
    starter = Starter(engine, conf)
    opener = Opener.ephemeral() if curve is None else curve.opener()
    secrets = SecretsCache(SecretsFetching(transfers, opener).fetch, conf.secrets.cache_seconds)
    pool = Pool(starter, conf, runtimes, lambda: line.claimed, known=secrets.known)
    executor = Executor(
        starter, pool, builder, transfers, secrets, outbox.to_collector, suspect, now_ms
    )
    slots = Slots(conf.driver.slots, line, executor, suspect)
    node = Node(
        _identity(conf, inlet.address, runtimes),
        slots,
        pool,
        spool,
        outbox,
        results,
        lambda: health.sound,
        _monotonic_ms,
        lambda: inbox.dropped,
    )
    inbox: Inbox[NodeMessage] = Inbox(inlet, MessageDecoder(NodeMessage))
    loop = Loop(inbox, node, conf.driver.heartbeat_seconds)
    sweeper = Sweeper(
        node_path(conf).parent, conf.driver.name, engine.sweep, conf.driver.sweep_seconds
    )
    health.on_change = node.beat
    porter.start(results.bring)
    slots.start(node.deliver, node.done)
    pool.start()
    node.start()
    sweeper.start()
    images.start()
    secrets.start()
    metrics.read(NodeMetrics(node.state, lambda: line.claimed).read)
    metrics.serve(conf)
    if registry is not None:
        registry.start()
    try:
        loop.run(stop)
        _leave(conf, node, slots, loop)
    finally:
        # A second signal, while all this is taken down, has nothing to wake.
        stop.on_stop = lambda: None
        slots.stop()
        pool.stop()
        porter.stop()
        health.stop()
        sweeper.stop()
        images.stop()
        secrets.stop()
        if registry is not None:
            registry.stop()
        outbox.close()  # threads that are stuck in a job may yet have something to say
        inlet.close()
        spool.close()
        engine.close()
        context.term()
        metrics.close()


def _leave(conf: cfg.ConfigOpts, node: Node, slots: Slots, loop: Loop[NodeMessage]) -> None:
    """Let running jobs end within the grace time, then end them; results go on being sent."""
    node.drain()
    loop.run_until(lambda: slots.wait_idle(0), conf.grace_seconds)
    slots.interrupt_all("the node was stopped while it ran this")
    loop.run_until(lambda: slots.wait_idle(0), conf.grace_seconds)
    node.leave()


def _identity(conf: cfg.ConfigOpts, address: str, runtimes: dict[str, str]) -> NodeState:
    return NodeState(
        node=conf.driver.name,
        instance=uuid.uuid4().hex,
        address=address,
        ip=own_ip(),
        pid=os.getpid(),
        version=product_version(),
        joined_at=now_ms(),
        slots=conf.driver.slots,
        memory=conf.driver.memory,
        runtimes=runtimes,
        provisions=True,
    )


def _monotonic_ms() -> int:
    """Return a time that only goes forward, also while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _say(output: bytes) -> None:
    sys.stderr.write(output.decode(errors="replace"))
    sys.stderr.flush()
