"""``pratai-scheduler``: the process around the dispatcher."""

from pratai_common import peers
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Inlet
from pratai_common.clock import now_ms
from pratai_common.conf import bind_address
from pratai_common.daemon import Loop, Stop, fail
from pratai_common.inbox import Inbox
from pratai_common.messages import Message, MessageDecoder, NodeState, SchedulerMessage
from pratai_common.node_urls import node_url
from pratai_common.senders import Identity, Role
from pratai_scheduler.addresses import Addresses
from pratai_scheduler.assignments import Assignments
from pratai_scheduler.backlog_size import Backlog
from pratai_scheduler.dispatcher import Dispatcher
from pratai_scheduler.fence import Fence
from pratai_scheduler.leadership import Leadership
from pratai_scheduler.nodes import Nodes
from pratai_scheduler.process import Parts, parts
from pratai_scheduler.retention import Retention
from pratai_scheduler.running import Sends
from pratai_scheduler.scheduler_metrics import Dispatches, SchedulerMetrics

_LOOKS_IN_A_LEASE = 8
"""So often one that stands by asks whether another has let its lease end."""


def main() -> int:
    """Run the program."""
    with parts(Role.SCHEDULER) as opened:
        options = opened.conf.scheduler
        fence = Fence(int(options.node_lease_seconds * 1000), int(options.adopt_seconds * 1000))
        if opened.conf.driver.heartbeat_seconds * 1000 > fence.longest_silence_ms:
            return fail(
                "[driver] heartbeat_seconds is too long for [scheduler] adopt_seconds and "
                f"node_lease_seconds: at most {fence.longest_silence_ms / 1000} s"
            )
        serve(opened, Stop())
    return 0


def serve(opened: Parts, stop: Stop) -> None:
    """Dispatch until SIGTERM."""
    conf, store = opened.conf, opened.store
    options, collector = conf.scheduler, peers.collector(conf)
    beat = Beat(
        store,
        "scheduler",
        now_ms,
        lambda: inbox.dropped,
        epoch=lambda: leadership.epoch if acts() else None,
    )
    leadership = Leadership(
        store,
        holder=beat.daemon_id,
        lease_ms=int(options.lease_seconds * 1000),
        settle_ms=int(options.settle_seconds * 1000),
        node_lease_ms=int(options.node_lease_seconds * 1000),
    )
    addresses = Addresses(store, now_ms, beat.witness)
    dispatches = Dispatches(opened.metrics.registry)

    def acts() -> bool:
        return leadership.holds(now_ms())

    def to_node(state: NodeState, message: Message) -> bool:
        dispatches(message)
        return opened.outlets.send(peers.node(state.node, state.address), message)

    def to_api(daemon_id: str, message: Message) -> None:
        peer = addresses.api(daemon_id)
        if peer is not None:
            opened.outlets.send(peer, message)

    def knows_node(name: str) -> bool:
        """Say whether a node's key is there: one that was revoked is given nothing more."""
        return opened.curve is None or opened.curve.knows(Identity(Role.NODE, name))

    adopt_ms = int(options.adopt_seconds * 1000)
    nodes = Nodes(int(options.node_lease_seconds * 1000), adopt_ms, options.most_node_slots)
    dispatcher = Dispatcher(
        store,
        Assignments(
            opened.key,
            now_ms,
            open_archives(conf, opened.key).url,
            conf.archives.url_seconds,
            node_url=node_url(conf),
        ),
        leadership,
        nodes,
        Sends(
            to_node,
            lambda message: opened.outlets.send(collector, message),
            to_api,
        ),
        now_ms,
        conf.build.memory,
        adopt_ms,
        weights=options.project_weights,
        builds=conf.build.parallel,
        alone=len(conf.sockets.scheduler) == 1,
        sweep_ms=int(options.sweep_seconds * 1000),
        knows_node=knows_node,
        most_runs=conf.quota.concurrent_requests,
    )
    inlet = Inlet(opened.context, bind_address(conf, "scheduler"), opened.curve)
    inbox: Inbox[SchedulerMessage] = Inbox(inlet, MessageDecoder(SchedulerMessage))
    tick_seconds = min(options.sweep_seconds, options.lease_seconds / _LOOKS_IN_A_LEASE)
    loop = Loop(inbox, dispatcher, tick_seconds)
    beat.start()
    retention = Retention(store, leadership, now_ms, conf.store.retention_days)
    retention.start()
    backlog = Backlog(store, acts, now_ms)
    backlog.start()
    reads = SchedulerMetrics(
        acts, nodes.living, lambda: dispatcher.held, backlog, lambda: inbox.dropped
    )
    opened.metrics.read(reads.read)
    opened.metrics.serve(conf)
    try:
        loop.run(stop)
    finally:
        backlog.stop()
        retention.stop()
        beat.stop()
        leadership.release(now_ms())
        inlet.close()
