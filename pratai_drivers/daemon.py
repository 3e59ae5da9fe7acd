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
from pratai_common.channels import Context, Inlet, Outlets
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop, fail, own_ip, product_version
from pratai_common.errors import EngineError
from pratai_common.messages import MessageDecoder, NodeMessage, NodeState
from pratai_common.node_urls import node_url
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import Engine
from pratai_drivers.executor import Executor
from pratai_drivers.folders import builds_path, node_path, runs_path
from pratai_drivers.health import Health
from pratai_drivers.leftovers import NodeLock, Sweeper
from pratai_drivers.node import Node
from pratai_drivers.outbox import Outbox
from pratai_drivers.results import Results
from pratai_drivers.spool import Spool
from pratai_drivers.transfers import Transfers

_LOCK_SECONDS = 10.0
"""How long a node waits for its lock: another may hold it while it removes what this one left."""
_PREPARE = cfg.BoolOpt(
    "prepare", default=False, help="Make the runtimes' images, saying what is done, and end."
)


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-driver", sys.argv[1:], [_PREPARE])
    plugin: Any = driver.DriverManager("pratai.engines", conf.driver.engine)
    engine: Engine = plugin.driver.from_conf(conf)
    try:
        runtimes = engine.prepare(_say)
        if conf.prepare:
            return 0
        stop = Stop()
        with NodeLock(node_path(conf)) as lock:
            if not lock.wait(stop, _LOCK_SECONDS):
                return fail(f"a node {conf.driver.name} runs on this machine already")
            serve(conf, engine, runtimes, stop)
    except EngineError as error:
        return fail(f"the node cannot work: {error}")
    return 0


def serve(conf: cfg.ConfigOpts, engine: Engine, runtimes: dict[str, str], stop: Stop) -> None:
    """Be a node until a stop is requested."""
    for left in (runs_path(conf), builds_path(conf)):
        shutil.rmtree(left, ignore_errors=True)
    engine.open()
    context: Context = zmq.Context.instance()
    outlets = Outlets(context)
    inlet = Inlet(context, conf.driver.bind)
    outbox = Outbox(conf.sockets.scheduler, conf.sockets.collector, inlet.wake)
    # One for each slot, for the thread that brings results, and for the health check.
    transfers = Transfers(conf.archives.timeout, connections=conf.driver.slots + 2)
    builder = Builder(engine, transfers, conf, runtimes)
    spool = Spool(node_path(conf) / "spool", _monotonic_ms())
    results = Results(spool, transfers, node_url(conf), outbox.to_collector)
    health = Health([engine.check, spool.check, transfers.check])
    executor = Executor(
        engine, builder, transfers, conf, outbox.to_collector, health.suspect, now_ms
    )
    node = Node(
        _identity(conf, inlet.address, runtimes),
        executor,
        spool,
        outbox,
        results,
        health,
        _monotonic_ms,
        lambda: loop.dropped,
    )
    decoder: MessageDecoder[NodeMessage] = MessageDecoder(NodeMessage)
    loop = Loop(
        inlet,
        decoder,
        node,
        conf.driver.heartbeat_seconds,
        lambda: outbox.flush(outlets),
    )
    sweeper = Sweeper(
        node_path(conf).parent, conf.driver.name, engine.sweep, conf.driver.sweep_seconds
    )
    node.start()
    sweeper.start()
    try:
        loop.run(stop)
        _leave(conf, node, loop)
    finally:
        # A second signal, while all this is taken down, has nothing to wake.
        stop.on_stop = lambda: None
        health.stop()
        sweeper.stop()
        outbox.flush(outlets)
        outlets.close()
        inlet.close()
        spool.close()
        engine.close()
        context.term()


def _leave(conf: cfg.ConfigOpts, node: Node, loop: Loop[NodeMessage]) -> None:
    """Let running jobs end within the grace time, then end them; results go on being sent."""
    node.drain()
    loop.run_until(lambda: node.wait_idle(0), conf.grace_seconds)
    node.interrupt_all("the node was stopped while it ran this")
    loop.run_until(lambda: node.wait_idle(0), conf.grace_seconds)
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
    )


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _say(output: bytes) -> None:
    sys.stderr.write(output.decode(errors="replace"))
    sys.stderr.flush()
