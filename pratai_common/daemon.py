"""The frame of a daemon process: signals, logging, the loop that receives and ticks.

The loop holds no logic: receive, one call. What a daemon does with messages and time is in
its :class:`Handler`, which knows no sockets and no signals.
"""

import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Generic, Protocol, TypeVar

from oslo_config import cfg

from pratai_common import conf as configuration
from pratai_common.errors import StoreUnavailableError
from pratai_common.inbox import Inbox
from pratai_common.messages import Message
from pratai_common.records import Daemon
from pratai_common.tokens import TokenKey, load_key

LOG = logging.getLogger(__name__)
BATCH = 512
M = TypeVar("M", bound=Message)
H_contra = TypeVar("H_contra", contravariant=True)


class Handler(Protocol[H_contra]):
    """What a daemon does: with messages, and as time passes."""

    def receive(self, messages: Sequence[H_contra]) -> None:
        """Handle what arrived, oldest first."""

    def tick(self) -> None:
        """Do what is due; called at least every ``tick_seconds``."""


class Stop:
    """SIGTERM and SIGINT as a flag; ``on_stop`` wakes whatever waits."""

    def __init__(self) -> None:
        self.requested = False
        self.on_stop: Callable[[], None] = lambda: None
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)

    def _request(self, _number: int, _frame: object) -> None:
        self.requested = True
        os.eventfd_write(self._event, 1)
        self.on_stop()

    def wait(self, seconds: float) -> bool:
        """Return whether a stop was requested, after waiting so long for it at most."""
        select.select([self._event], [], [], seconds)
        return self.requested


class Loop(Generic[M]):
    """Receives for a handler until told to stop."""

    def __init__(
        self,
        inbox: Inbox[M],
        handler: Handler[M],
        tick_seconds: float,
    ) -> None:
        self._inbox = inbox
        self._handler = handler
        self._tick_seconds = tick_seconds
        self._next_tick = 0.0

    def run(self, stop: Stop) -> None:
        """Serve until a stop is requested."""
        stop.on_stop = self._inbox.wake
        try:
            while not stop.requested:
                self.once()
        finally:
            # A second signal, while all is taken down, has nothing to wake.
            stop.on_stop = lambda: None

    def run_until(self, done: Callable[[], bool], seconds: float) -> None:
        """Serve until something is so, or for so many seconds at most."""
        ends = time.monotonic() + seconds
        while not done() and time.monotonic() < ends:
            self.once()

    def once(self) -> None:
        """Wait for messages, a wake-up or the next tick, and handle what there is."""
        wait = max(0.0, self._next_tick - time.monotonic())
        messages = self._inbox.receive(int(wait * 1000) + 1, BATCH)
        with _store_may_be_away():
            self._handler.receive(messages)
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + self._tick_seconds
            with _store_may_be_away():
                self._handler.tick()


@contextmanager
def _store_may_be_away() -> Iterator[None]:
    """Go on without the store: requests are swept from it, results come again from spools."""
    try:
        yield
    except StoreUnavailableError as error:
        LOG.warning("the store is unavailable: %s", error)


def installation_key(conf: cfg.ConfigOpts) -> TokenKey:
    """Read the installation's key; raises SystemExit with the reason where there is none."""
    try:
        return load_key(configuration.token_key_path(conf))
    except OSError as error:
        raise SystemExit(f"no key of job tokens ({error}): run pratai-db-init") from error


def product_version() -> str:
    """Return the installed version of Pratai."""
    try:
        return version("pratai")
    except PackageNotFoundError:
        return "unknown"


def describe(
    daemon_type: str,
    daemon_id: str,
    started_at: int,
    now: int,
    dropped: int,
    address: str | None,
    epoch: int | None = None,
) -> Daemon:
    """Return this process's own entry for the cluster's list."""
    return Daemon(
        daemon_type=daemon_type,
        daemon_id=daemon_id,
        joined_at=started_at,
        seen_at=now,
        ip=own_ip(),
        version=product_version(),
        pid=os.getpid(),
        dropped_messages=dropped,
        address=address,
        epoch=epoch,
    )


def own_ip() -> str:
    """Return the address of this host that its name stands for, loopback if there is none."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def fail(message: str) -> int:
    """Say on stderr why a program ends, and return its exit code."""
    print(message, file=sys.stderr)  # noqa: T201 - the user of a console script reads stderr
    return 1
