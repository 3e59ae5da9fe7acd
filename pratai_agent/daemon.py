"""``pratai-agent``: the process around the sources."""

import logging
import sys

import zmq

from pratai_agent.agent import Agent
from pratai_common import conf as configuration
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Context, Outlets
from pratai_common.clock import now_ms
from pratai_common.daemon import Stop, installation_key
from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import open_store
from pratai_common.submit import Submitter

LOG = logging.getLogger(__name__)
_TICK_SECONDS = 0.5


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-agent", sys.argv[1:])
    stop = Stop()
    key = installation_key(conf)
    store = open_store(conf)
    context: Context = zmq.Context.instance()
    outlets = Outlets(context)
    submitter = Submitter(
        store,
        open_archives(conf, key),
        lambda message: outlets.send(conf.sockets.scheduler, message),
        now_ms,
    )
    agent = Agent(store, submitter, now_ms)
    beat = Beat(store, "agent", now_ms, lambda: 0)
    beat.start()
    try:
        while not stop.wait(_TICK_SECONDS):
            try:
                agent.tick()
            except StoreUnavailableError as error:
                LOG.warning("the store is unavailable: %s", error)
    finally:
        beat.stop()
        outlets.close()
        store.close()
        context.term()
    return 0
