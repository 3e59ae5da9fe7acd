"""``pratai-agent``: the process around timers and sources."""

import logging
import sys
import threading
import time

import zmq
from oslo_config import cfg

from pratai_agent import plugins
from pratai_agent.door import EventDoor
from pratai_agent.keeper import LOOK_SECONDS, Keeper
from pratai_agent.report import Report
from pratai_agent.serving import Serving
from pratai_agent.states import States
from pratai_agent.timers import Timers
from pratai_common import conf as configuration
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Context, Outlets
from pratai_common.clock import now_ms
from pratai_common.daemon import Stop, installation_key
from pratai_common.errors import StoreUnavailableError
from pratai_common.publishing import Publisher
from pratai_common.records import Event
from pratai_common.sealing import Sealer
from pratai_common.store.base import Store, open_store
from pratai_common.submit import Submitter
from pratai_common.tokens import TokenKey

LOG = logging.getLogger(__name__)
_AWAY_SECONDS = 1.0
_LAST_SECONDS = 5
"""Of the grace, what is left when sources were waited for."""


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
    beat = Beat(store, "agent", now_ms, lambda: 0)
    beat.start()
    sources = Sources(keeper(conf, key, store, submitter, beat))
    sources.start()
    try:
        run_timers(Timers(store, submitter, now_ms), stop)
    finally:
        ended = sources.stop(max(1, conf.grace_seconds - _LAST_SECONDS))
        beat.stop()
        outlets.close()
        store.close()
        if ended:  # else a thread still has a socket, and this would wait for it
            context.term()
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
