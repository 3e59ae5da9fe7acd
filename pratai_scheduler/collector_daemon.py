"""``pratai-collector``: the process around the collector."""

from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Inlet
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop
from pratai_common.messages import CollectorMessage, Message, MessageDecoder
from pratai_common.store.base import Store
from pratai_scheduler.collector import Collector
from pratai_scheduler.process import Parts, parts

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
    with parts("pratai-collector") as opened:
        serve(opened, Stop())
    return 0


def serve(opened: Parts, stop: Stop) -> None:
    """Settle until SIGTERM."""
    conf, store = opened.conf, opened.store
    addresses = NodeAddresses(store)

    def acknowledge(node: str, message: Message) -> None:
        address = addresses.get(node)
        if address is not None:
            opened.outlets.send(address, message)

    collector = Collector(
        store,
        open_archives(conf),
        opened.key,
        acknowledge,
        lambda message: opened.outlets.send(conf.sockets.scheduler, message),
        now_ms,
    )
    inlet = Inlet(opened.context, conf.sockets.collector_bind or conf.sockets.collector)
    decoder: MessageDecoder[CollectorMessage] = MessageDecoder(CollectorMessage)
    loop = Loop(inlet, decoder, collector, _TICK_SECONDS)
    beat = Beat(store, "collector", now_ms, lambda: loop.dropped + collector.refused)
    beat.start()
    try:
        loop.run(stop)
    finally:
        beat.stop()
        inlet.close()
