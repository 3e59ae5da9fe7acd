"""``pratai-scheduler``: the process around the dispatcher."""

import os
import socket

from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Inlet
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop
from pratai_common.messages import Message, MessageDecoder, SchedulerMessage
from pratai_scheduler.addresses import Addresses
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.process import Parts, parts
from pratai_scheduler.retention import Retention
from pratai_scheduler.running import Sends


def main() -> int:
    """Run the program."""
    with parts("pratai-scheduler") as opened:
        serve(opened, Stop())
    return 0


def serve(opened: Parts, stop: Stop) -> None:
    """Dispatch until SIGTERM."""
    conf, store = opened.conf, opened.store
    options = conf.scheduler
    leadership = Leadership(
        store,
        holder=f"{socket.gethostname()}-{os.getpid()}",
        lease_ms=int(options.lease_seconds * 1000),
        settle_ms=int(options.settle_seconds * 1000),
    )
    beat = Beat(store, "scheduler", now_ms, lambda: loop.dropped)
    addresses = Addresses(store, now_ms, beat.witness)

    def to_api(daemon_id: str, message: Message) -> None:
        address = addresses.api(daemon_id)
        if address is not None:
            opened.outlets.send(address, message)

    adopt_ms = int(options.adopt_seconds * 1000)
    dispatcher = Dispatcher(
        store,
        Assignments(
            opened.key, now_ms, open_archives(conf, opened.key).url, conf.archives.url_seconds
        ),
        leadership,
        Nodes(int(options.node_lease_seconds * 1000), adopt_ms),
        Sends(
            opened.outlets.send,
            lambda message: opened.outlets.send(conf.sockets.collector, message),
            to_api,
        ),
        now_ms,
        conf.build.memory,
        adopt_ms,
    )
    inlet = Inlet(opened.context, conf.sockets.scheduler_bind or conf.sockets.scheduler)
    decoder: MessageDecoder[SchedulerMessage] = MessageDecoder(SchedulerMessage)
    loop = Loop(inlet, decoder, dispatcher, options.sweep_seconds)
    beat.start()
    retention = Retention(store, leadership, now_ms, conf.store.retention_days)
    retention.start()
    try:
        loop.run(stop)
    finally:
        retention.stop()
        beat.stop()
        leadership.release()
        inlet.close()
