"""``pratai-collector``: the process around the collector."""

from collections.abc import Sequence

from prometheus_client.metrics_core import Metric

from pratai_common import peers
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Inlet, Peer
from pratai_common.clock import now_ms
from pratai_common.conf import bind_address
from pratai_common.daemon import Loop, Stop
from pratai_common.inbox import Inbox
from pratai_common.messages import (
    Bye,
    CollectorMessage,
    Heartbeat,
    LogPiece,
    Message,
    MessageDecoder,
    Result,
)
from pratai_common.metrics import dropped, gauge
from pratai_common.senders import Role
from pratai_scheduler.addresses import Addresses
from pratai_scheduler.collector import Collector, Sends
from pratai_scheduler.observing import open_observers
from pratai_scheduler.process import Parts, parts
from pratai_scheduler.recorder import Recorder
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
    with parts(Role.COLLECTOR) as opened:
        serve(opened, Stop())
    return 0


def serve(opened: Parts, stop: Stop) -> None:
    """Settle until SIGTERM."""
    conf, store = opened.conf, opened.store
    schedulers = peers.schedulers(conf)
    beat = Beat(store, "collector", now_ms, lambda: inbox.dropped + collector.refused)
    addresses = Addresses(store, now_ms, beat.witness)

    def send(peer: Peer | None, message: Message) -> None:
        if peer is not None:
            opened.outlets.send(peer, message)

    recorder = Recorder(close=opened.outlets.close)
    understudy = Understudy(store, addresses.seen_at, now_ms)
    observing = open_observers(conf, opened.metrics.registry)
    collector = Collector(
        store,
        open_archives(conf, opened.key),
        opened.key,
        Sends(
            to_node=lambda name, message: send(addresses.node(name), message),
            to_api=lambda daemon_id, message: send(addresses.api(daemon_id), message),
            to_scheduler=lambda message: opened.outlets.send_each(schedulers, message),
            apis=addresses.apis,
        ),
        now_ms,
        recorder.put,
        observers=observing.observers,
    )
    inlet = Inlet(opened.context, bind_address(conf, "collector"), opened.curve)
    inbox: Inbox[CollectorMessage] = Inbox(inlet, MessageDecoder(CollectorMessage))
    loop = Loop(inbox, Intake(collector, understudy), _TICK_SECONDS)
    recorder.start(collector.record)
    beat.start()
    opened.metrics.read(lambda: readings(inbox.dropped + collector.refused, recorder.waiting))
    opened.metrics.serve(conf)
    try:
        loop.run(stop)
    finally:
        recorder.stop()
        observing.close()
        beat.stop()
        inlet.close()


def readings(refused: int, waiting: int) -> list[Metric]:
    """Return what is read of a collector when it is asked for: how many messages it did not
    believe, and how many calls wait to be recorded.
    """
    text = "Calls that are answered, and not recorded yet"
    return [dropped(refused), gauge("pratai_collector_calls_waiting", text, waiting)]
