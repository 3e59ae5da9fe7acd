"""``pratai-collector``: the process around the collector."""

from collections.abc import Sequence

from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Inlet
from pratai_common.clock import now_ms
from pratai_common.daemon import Loop, Stop
from pratai_common.messages import (
    Bye,
    CollectorMessage,
    Heartbeat,
    LogPiece,
    Message,
    MessageDecoder,
    Result,
)
from pratai_scheduler.addresses import Addresses
from pratai_scheduler.collector import Collector, Sends
from pratai_scheduler.process import Parts, parts
from pratai_scheduler.roster import Understudy

_TICK_SECONDS = 1.0


class Intake:
    """Gives the collector results and logs, and its understudy what nodes say of themselves."""

    def __init__(self, collector: Collector, understudy: Understudy) -> None:
        self._collector = collector
        self._understudy = understudy

    def receive(self, messages: Sequence[CollectorMessage]) -> None:
        """Hand on what arrived; nodes' entries come behind all results."""
        work = [message for message in messages if isinstance(message, Result | LogPiece)]
        for message in messages:
            if isinstance(message, Heartbeat | Bye):
                self._understudy.hear(message)
        self._collector.receive(work)
        self._understudy.write()

    def tick(self) -> None:
        """Pass time on."""
        self._collector.tick()


def main() -> int:
    """Run the program."""
    with parts("pratai-collector") as opened:
        serve(opened, Stop())
    return 0


def serve(opened: Parts, stop: Stop) -> None:
    """Settle until SIGTERM."""
    conf, store = opened.conf, opened.store
    beat = Beat(store, "collector", now_ms, lambda: loop.dropped + collector.refused)
    addresses = Addresses(store, now_ms, beat.witness)

    def send(address: str | None, message: Message) -> None:
        if address is not None:
            opened.outlets.send(address, message)

    understudy = Understudy(store, addresses.seen_at, now_ms)
    collector = Collector(
        store,
        open_archives(conf, opened.key),
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
    loop = Loop(inlet, decoder, Intake(collector, understudy), _TICK_SECONDS)
    beat.start()
    try:
        loop.run(stop)
    finally:
        beat.stop()
        inlet.close()
