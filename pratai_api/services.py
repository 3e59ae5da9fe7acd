"""What the routes work with, put together once in ``create_app``."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

from flask import current_app

from pratai_api.errors import ApiError
from pratai_api.intake import Intake
from pratai_api.isolations import Isolations
from pratai_api.quotas import Quotas
from pratai_api.rates import Rates
from pratai_api.replies import Replies
from pratai_api.secret_stores import SecretStore
from pratai_api.trusts import Trusts
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
    """Bounds how many threads may wait for something, so that the others can go on answering.

    ``patience`` is how many seconds a place is waited for.
    """

    def __init__(self, most: int, what: str, patience: float = 0.0) -> None:
        self._room = threading.BoundedSemaphore(most)
        self._what = what
        self._patience = patience

    def enter(self) -> None:
        """Take a place; raises ApiError (503) where there is none. ``leave`` gives it back."""
        if not self._room.acquire(timeout=self._patience):
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
    Who follows a log does not take the place of who waits for a result; ``uploads`` bounds the zips
    that are in memory, ``secret_waits`` who waits for where secrets are kept, and for Keystone to
    make a trust or to act by one. ``sources`` are the shapes of events' settings, by source; what
    is secret of events and of endpoints has a sealer each.
    ``knows_node`` says whether a node's key is there, if nodes have keys.
    ``node_key`` is what is sealed to a node by (32 bytes), ``None`` where nodes have no keys; it
    raises ApiError (403) where this one's is gone. ``trusts`` are
    how users give functions a right of theirs, of ``trust_roles`` where they name none.
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
    uploads: Waits
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
    intake: Intake
    secrets: SecretStore
    secret_waits: Waits
    trust_proxy_ids: bool = False
    ailments: Callable[[int], Sequence[str]] = lambda _port: ()
    knows_node: Callable[[str], bool] = lambda _name: True
    isolations: Isolations = Isolations()
    node_key: Callable[[str], bytes | None] = lambda _name: None
    trusts: Trusts | None = None
    trust_roles: tuple[str, ...] = ("member",)


def services() -> Services:
    """Return the parts of the application that handles this HTTP request."""
    return cast("Services", current_app.extensions["pratai"])
