"""``pratai-scheduler``: the process around the dispatcher."""

import os
import socket
import sys

import zmq

from pratai_common import conf as configuration
from pratai_common.beat import Beat
from pratai_common.channels import Context, Inlet, Outlets
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop, fail
from pratai_common.messages import MessageDecoder, SchedulerMessage
from pratai_common.store.base import open_store
from pratai_common.tokens import load_key
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-scheduler", sys.argv[1:])
    stop = Stop()
    try:
        key = load_key(configuration.token_key_path(conf))
    except OSError as error:
        return fail(f"no key of job tokens ({error}): run pratai-db-init")
    store = open_store(conf)
    context: Context = zmq.Context.instance()
    outlets = Outlets(context)
    inlet = Inlet(context, conf.sockets.scheduler_bind or conf.sockets.scheduler)
    options = conf.scheduler
    leadership = Leadership(
        store,
        holder=f"{socket.gethostname()}-{os.getpid()}",
        lease_ms=int(options.lease_seconds * 1000),
        settle_ms=int(options.settle_seconds * 1000),
    )
    adopt_ms = int(options.adopt_seconds * 1000)
    dispatcher = Dispatcher(
        store,
        Assignments(key, now_ms),
        leadership,
        Nodes(int(options.node_lease_seconds * 1000), adopt_ms),
        outlets.send,
        lambda message: outlets.send(conf.sockets.collector, message),
        now_ms,
        conf.build.memory,
        adopt_ms,
    )
    decoder: MessageDecoder[SchedulerMessage] = MessageDecoder(SchedulerMessage)
    loop = Loop(inlet, decoder, dispatcher, options.sweep_seconds)
    beat = Beat(store, "scheduler", now_ms, lambda: loop.dropped)
    beat.start()
    try:
        loop.run(stop)
    finally:
        beat.stop()
        leadership.release()
        outlets.close()
        inlet.close()
        store.close()
        context.term()
    return 0
