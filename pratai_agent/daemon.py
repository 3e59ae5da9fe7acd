"""``pratai-agent``: the process around timers and sources."""

import logging
import sys
import threading
import time

import zmq
from oslo_config import cfg

from pratai_agent import plugins
from pratai_agent.agent_metrics import AgentMetrics
from pratai_agent.door import EventDoor
from pratai_agent.keeper import LOOK_SECONDS, Keeper
from pratai_agent.report import Report
from pratai_agent.serving import Serving
from pratai_agent.states import States
from pratai_agent.timers import Timers
from pratai_common import conf as configuration
from pratai_common import peers
from pratai_common.admission import RETRY_SECONDS, Admission, Bounds, Counting
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Context, Outlets
from pratai_common.clock import now_ms
from pratai_common.curve import open_curve
from pratai_common.daemon import Stop, installation_key
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.metrics import Metrics, Submissions
from pratai_common.publishing import Publisher
from pratai_common.records import Event
from pratai_common.sealing import Sealer
from pratai_common.senders import Identity, Role
from pratai_common.store.base import Store, open_store
from pratai_common.store.measured import measure
from pratai_common.submit import Submitter
from pratai_common.tokens import TokenKey
from pratai_common.tracing import Sampling

LOG = logging.getLogger(__name__)
_AWAY_SECONDS = 1.0
_LAST_SECONDS = 5
"""Of the grace, what is left when sources were waited for."""


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-agent", sys.argv[1:])
    stop = Stop()
    key = installation_key(conf)
    curve = open_curve(conf, Identity(Role.AGENT))
    metrics = Metrics("agent")
    store = measure(open_store(conf), metrics.registry)
    context: Context = zmq.Context.instance()
    outlets = Outlets(context, curve)
    schedulers = peers.schedulers(conf)
    admission = Admission(Bounds.from_conf(conf))
    submitter = Submitter(
        store,
        open_archives(conf, key),
        lambda message: outlets.send_each(schedulers, message),
        now_ms,
        admission,
        observe=Submissions(metrics.registry),
        sampling=Sampling.from_conf(conf),
    )
    beat = Beat(store, "agent", now_ms, lambda: 0)
    beat.start()
    counting = Counting(store, admission, beat.witness, now_ms)
    counting.start()
    kept = keeper(conf, key, store, submitter, beat)
    sources = Sources(kept)
    sources.start()
    timers = Timers(store, submitter, now_ms)
    metrics.read(AgentMetrics(timers, kept, sorted(kept.kinds)).read)
    metrics.serve(conf)
    try:
        run_timers(timers, stop)
    finally:
        ended = sources.stop(max(1, conf.grace_seconds - _LAST_SECONDS))
        counting.stop()
        beat.stop()
        outlets.close()
        store.close()
        if ended:  # else a thread still has a socket, and this would wait for it
            context.term()
        metrics.close()
    return 0


def run_timers(timers: Timers, stop: Stop) -> None:
    """Fire what is due until a stop is requested."""
    pause = 0.0
    while not stop.wait(pause):
        try:
            timers.look()
            pause = timers.pause()
        except StoreUnavailableError as error:
            LOG.warning("the store is unavailable: %s", error)
            pause = _AWAY_SECONDS
        except OverloadedError as error:
            LOG.warning("ticks wait: %s", error)
            pause = RETRY_SECONDS
        except Exception:
            LOG.exception("timers could not be looked after")
            pause = _AWAY_SECONDS


def keeper(
    conf: cfg.ConfigOpts, key: TokenKey, store: Store, submitter: Submitter, beat: Beat
) -> Keeper:
    """Return what keeps the sources of all events running."""
    kinds = plugins.kinds() if conf.agent.sources else {}
    make = plugins.Maker(conf, kinds, Sealer(key, "event"))
    publisher = Publisher(store, submitter)

    def serve(event: Event, report: Report) -> Serving:
        door = EventDoor(event, publisher, report, now_ms)
        return Serving(event, make, door, report, store, now_ms)

    states = States(store, beat.daemon_id, beat.witness, now_ms)
    return Keeper(store, states, serve, kinds, conf.agent.sources, now_ms)


class Sources:
    """The thread that looks after the sources, so that no tick waits for them."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sources", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Stop all sources; returns whether they ended in so many seconds."""
        ends = time.monotonic() + seconds
        self._ended.set()
        self._thread.join(seconds)
        return self._keeper.stop(ends - time.monotonic())

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._keeper.look()
            except StoreUnavailableError as error:
                LOG.warning("the store is unavailable: %s", error)
            except Exception:
                LOG.exception("the sources could not be looked after")
