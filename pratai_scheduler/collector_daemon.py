"""``pratai-collector``: the process around the collector."""

import sys

import zmq

from pratai_common import conf as configuration
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Context, Inlet, Outlets
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop, fail
from pratai_common.messages import CollectorMessage, Message, MessageDecoder
from pratai_common.store.base import Store, open_store
from pratai_common.tokens import load_key
from pratai_scheduler.collector import Collector

_TICK_SECONDS = 1.0
_REMEMBER_MS = 1000


class NodeAddresses:
    """Where nodes take messages: from the record of live daemons, never from a message."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = 0
        self._addresses: dict[str, str] = {}

    def get(self, node: str) -> str | None:
        """Return a node's address, as it was at most a second ago."""
        now = now_ms()
        if node not in self._addresses or now - self._read_at > _REMEMBER_MS:
            self._read_at = now
            self._addresses = {
                daemon.daemon_id: daemon.address
                for daemon in self._store.list_daemons()
                if daemon.address is not None
            }
        return self._addresses.get(node)


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-collector", sys.argv[1:])
    stop = Stop()
    try:
        key = load_key(configuration.token_key_path(conf))
    except OSError as error:
        return fail(f"no key of job tokens ({error}): run pratai-db-init")
    store = open_store(conf)
    context: Context = zmq.Context.instance()
    outlets = Outlets(context)
    inlet = Inlet(context, conf.sockets.collector_bind or conf.sockets.collector)
    addresses = NodeAddresses(store)

    def acknowledge(node: str, message: Message) -> None:
        address = addresses.get(node)
        if address is not None:
            outlets.send(address, message)

    collector = Collector(
        store,
        open_archives(conf),
        key,
        acknowledge,
        lambda message: outlets.send(conf.sockets.scheduler, message),
        now_ms,
    )
    decoder: MessageDecoder[CollectorMessage] = MessageDecoder(CollectorMessage)
    loop = Loop(inlet, decoder, collector, _TICK_SECONDS)
    beat = Beat(store, "collector", now_ms, lambda: loop.dropped + collector.refused)
    beat.start()
    try:
        loop.run(stop)
    finally:
        beat.stop()
        outlets.close()
        inlet.close()
        store.close()
        context.term()
    return 0
