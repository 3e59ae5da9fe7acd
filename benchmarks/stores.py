"""The stores that figures are taken of, as settings of a stack."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.services import Service

Settings = dict[str, dict[str, Any]]
"""Option values by group and name."""


@contextmanager
def sqlite() -> Iterator[Callable[[str], Settings]]:
    """Give the settings of a store by a name of its own: one SQLite file in the stack's folder."""
    yield lambda _name: {}


@contextmanager
def elasticsearch() -> Iterator[Callable[[str], Settings]]:
    """Start one server, with a heap for millions of documents; the name of a store begins the names
    of its indices.
    """
    service = Service("elasticsearch").start(PRATAI_ELASTICSEARCH_HEAP="1g")
    try:
        yield lambda name: {
            "store": {"driver": "elasticsearch", "hosts": service.url, "index_prefix": name}
        }
    finally:
        service.remove()


STORES: dict[str, Callable[[], AbstractContextManager[Callable[[str], Settings]]]] = {
    "sqlite": sqlite,
    "elasticsearch": elasticsearch,
}
"""By name: what to enter for as long as stacks use it."""
