"""Who listens to an event, or to how another function's runs end: subscriptions, with the functions
that they run.
"""

import logging
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import msgspec

from pratai_common import filters
from pratai_common.records import Function, Subscription
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)


class Listener(NamedTuple):
    """A subscription, and its function, which may be run."""

    subscription: Subscription
    function: Function


def listening(store: Store, topics: Iterable[str]) -> dict[str, list[Listener]]:
    """Return who listens to each of these events and functions, by its id: those of enabled
    subscriptions whose functions live and are enabled.
    """
    found = store.subscriptions_to(sorted(set(topics)))
    owners = store.get_functions(sorted({each.function_id for each in found})) if found else {}
    listeners: dict[str, list[Listener]] = {}
    for each in found:
        owner = owners.get(each.function_id)
        if owner is not None and owner.enabled and owner.deleted_at is None:
            listeners.setdefault(each.event_id or "", []).append(Listener(each, owner))
    return listeners


def choose(listeners: Iterable[Listener], load: Callable[[], bytes | None]) -> list[Listener]:
    """Return those whose filters let the data pass, one for each function.

    ``load`` gives the data as JSON text, ``None`` where it is lost; it is called once, and only
    where there is a filter. What cannot be read passes none.
    """
    data = cache(lambda: _decoded(load()))
    chosen: dict[str, Listener] = {}
    for each in listeners:
        pattern = each.subscription.filter
        if pattern is None or any(filters.matches(pattern, one) for one in data()):
            chosen.setdefault(each.function.function_id, each)
    return list(chosen.values())


def _decoded(text: bytes | None) -> tuple[Any, ...]:
    """Return what JSON text says, or nothing: a node may send what is no JSON."""
    try:
        return () if text is None else (msgspec.json.decode(text),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        LOG.warning("data that cannot be compared with filters: %s", error)
        return ()
