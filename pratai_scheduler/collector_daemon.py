"""``pratai-collector``: the process around the collector."""

from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Inlet
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop
from pratai_common.messages import CollectorMessage, Message, MessageDecoder
from pratai_scheduler.addresses import Addresses
from pratai_scheduler.collector import Collector, Sends
from pratai_scheduler.process import Parts, parts

_TICK_SECONDS = 1.0


def main() -> int:
    """Run the program."""
    with parts("pratai-collector") as opened:
        serve(opened, Stop())
    return 0


def serve(opened: Parts, stop: Stop) -> None:
    """Settle until SIGTERM."""
    conf, store = opened.conf, opened.store
    addresses = Addresses(store, now_ms)

    def send(address: str | None, message: Message) -> None:
        if address is not None:
            opened.outlets.send(address, message)

    collector = Collector(
        store,
        open_archives(conf),
        opened.key,
        Sends(
            to_node=lambda name, message: send(addresses.node(name), message),
            to_api=lambda daemon_id, message: send(addresses.api(daemon_id), message),
            to_scheduler=lambda message: send(conf.sockets.scheduler, message),
            apis=addresses.apis,
        ),
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
