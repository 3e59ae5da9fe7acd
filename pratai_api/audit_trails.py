"""Where audit events go: to the log, or to a message broker by oslo.messaging."""

import logging
import queue
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from oslo_config import cfg
from oslo_context.context import get_current
from stevedore import driver

from pratai_api import cadf
from pratai_api.audit import CALLS, Trail
from pratai_api.log_batches import Batches

LOG = logging.getLogger("pratai.audit")
EVENT_TYPE = "audit.http.response"
"""As keystonemiddleware's own audit filter calls its notifications."""

_MOST_WAITING = 10_000
_PATIENCE_SECONDS = 2.0
_ENDED = None


class ClosingTrail(Trail, Protocol):
    """One that may have something to do at the end."""

    def close(self) -> None:
        """Let go of what waits, to where it is not lost."""


class LogTrail:
    """Lines of the logger ``pratai.audit``, each an event as JSON. What comes often is written with
    the lines of other requests a moment later, all else before it is answered.
    """

    def __init__(self) -> None:
        self._batches = Batches()

    def put(self, event: cadf.Event, rule: str) -> None:
        """See Trail."""
        if not LOG.isEnabledFor(logging.INFO):
            return
        values = (msgspec.json.encode(event).decode(),)
        place = (LOG.name, logging.INFO, __file__, 0, "%s", values, None)
        record = LOG.makeRecord(*place, extra={"context": get_current()})
        if rule in CALLS:
            self._batches.put(record)
        else:
            LOG.handle(record)

    def close(self) -> None:
        """Write what waits."""
        self._batches.flush()


class Notifier(Protocol):
    """oslo.messaging's, as far as it is used."""

    def info(self, ctxt: dict[str, Any], event_type: str, payload: dict[str, Any]) -> None:
        """Send a notification; returns when the broker has it."""


class NotificationTrail:
    """Notifications, sent by a thread: no caller waits for the broker. While it is away so many
    wait for it; what is more, and what waits when this process ends, is in the log.
    """

    def __init__(self, notifier: Notifier, most: int = _MOST_WAITING) -> None:
        self._notifier = notifier
        self._waiting: queue.Queue[cadf.Event | None] = queue.Queue(most)
        self._sending: cadf.Event | None = None
        self._log = LogTrail()
        self._thread = threading.Thread(target=self._serve, name="audit", daemon=True)
        self._thread.start()

    def put(self, event: cadf.Event, rule: str) -> None:
        """See Trail."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._log.put(event, rule)

    def close(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Send what waits, or else log it."""
        with suppress(queue.Full):
            self._waiting.put(_ENDED, timeout=patience_seconds)
        self._thread.join(patience_seconds)
        if not self._thread.is_alive():
            return
        left = [self._sending]
        with suppress(queue.Empty):
            while True:
                left.append(self._waiting.get_nowait())
        for event in left:
            if event is not None:
                self._log.put(event, "")

    def _serve(self) -> None:
        while (event := self._waiting.get()) is not _ENDED:
            self._sending = event
            try:
                self._notifier.info({}, EVENT_TYPE, msgspec.to_builtins(event))
            except Exception:
                LOG.exception("an audit event is not sent, but logged")
                self._log.put(event, "")
            self._sending = None


class Chosen:
    """A trail without the events of some rules."""

    def __init__(self, trail: Trail, ignored: Collection[str]) -> None:
        self._trail = trail
        self._ignored = frozenset(ignored)

    def put(self, event: cadf.Event, rule: str) -> None:
        """See Trail."""
        if rule not in self._ignored:
            self._trail.put(event, rule)


def open_log(conf: cfg.ConfigOpts) -> LogTrail:
    """Return the trail of who has no broker."""
    return LogTrail()


def open_trail(conf: cfg.ConfigOpts) -> ClosingTrail:
    """Return where ``[audit]`` says that events go; no broker has to be there."""
    name = "log" if conf.audit.transport_url is None else "messaging"
    plugin: Any = driver.DriverManager(
        "pratai.audit_trails", name, invoke_on_load=True, invoke_args=(conf,)
    )
    trail: ClosingTrail = plugin.driver
    return trail
