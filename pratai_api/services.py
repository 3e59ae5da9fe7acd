"""What the routes work with, put together once in ``create_app``."""

from typing import NamedTuple, cast

from flask import current_app

from pratai_common.archives import Archives
from pratai_common.clock import Clock
from pratai_common.store.base import Store
from pratai_common.submit import Send, Submitter


class Services(NamedTuple):
    """The application's parts. ``send`` reaches the scheduler, or does not: a hint."""

    store: Store
    archives: Archives
    submitter: Submitter
    send: Send
    clock: Clock
    runtimes: tuple[str, ...]


def services() -> Services:
    """Return the parts of the application that handles this HTTP request."""
    return cast("Services", current_app.extensions["pratai"])
