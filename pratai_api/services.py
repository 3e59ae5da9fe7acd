"""What the routes work with, put together once in ``create_app``."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

from flask import current_app

from pratai_api.errors import ApiError
from pratai_api.quotas import Quotas
from pratai_api.rates import Rates
from pratai_api.replies import Replies
from pratai_common.archives import Archives
from pratai_common.beat import Witness
from pratai_common.clock import Clock
from pratai_common.event_settings import Settings
from pratai_common.node_urls import NodeUrls
from pratai_common.publishing import Publisher
from pratai_common.sealing import Sealer
from pratai_common.store.base import Store
from pratai_common.submit import Send, Submitter
from pratai_common.tokens import TokenKey


class Waits:
    """Bounds how many threads may wait for something, so that the others can go on answering."""

    def __init__(self, most: int, what: str) -> None:
        self._room = threading.BoundedSemaphore(most)
        self._what = what

    def enter(self) -> None:
        """Take a place; raises ApiError (503) where there is none. ``leave`` gives it back."""
        if not self._room.acquire(blocking=False):
            message = f"too many callers wait for {self._what} here already"
            raise ApiError(503, "busy", message, {"Retry-After": "1"})

    def leave(self) -> None:
        """Give a place back."""
        self._room.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs."""
        self.enter()
        try:
            yield
        finally:
            self.leave()


class Services(NamedTuple):
    """The application's parts. ``send`` reaches the scheduler, or does not: a hint. ``name`` is
    this process's, by which a collector finds its inlet; ``witness`` is of its signs of life.
    Who follows a log does not take the place of who waits for a result. ``sources`` are the shapes
    of events' settings, by source; what is secret of events and of endpoints has a sealer each.
    ``ailments`` say why a port's API should get no more requests, if it should not.
    """

    store: Store
    archives: Archives
    submitter: Submitter
    publisher: Publisher
    send: Send
    replies: Replies
    waits: Waits
    follows: Waits
    rates: Rates
    name: str
    witness: Witness
    clock: Clock
    runtimes: tuple[str, ...]
    sources: Mapping[str, type[Settings]]
    key: TokenKey
    event_sealer: Sealer
    hook_sealer: Sealer
    urls: NodeUrls
    quotas: Quotas
    trust_proxy_ids: bool = False
    ailments: Callable[[int], Sequence[str]] = lambda _port: ()


def services() -> Services:
    """Return the parts of the application that handles this HTTP request."""
    return cast("Services", current_app.extensions["pratai"])
