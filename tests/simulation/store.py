"""A store in memory for simulations: deterministic, fast, and away whenever a history wants it.

It passes ``tests/contract/store``; what it cannot do is to survive its process.
"""

from oslo_config import cfg

from pratai_common.store.base import Store
from tests.simulation.store_calls import served
from tests.simulation.store_cluster import Cluster
from tests.simulation.store_events import Events
from tests.simulation.store_functions import Functions
from tests.simulation.store_keys import Keys
from tests.simulation.store_requests import Requests


class MemoryStore(Functions, Requests, Events, Keys, Cluster, Store):
    """See :class:`Store`, and ``Called`` for its hooks."""

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "MemoryStore":
        return cls()

    @served
    def create_schema(self) -> None:
        self.contents.made = True

    @served
    def schema_gaps(self) -> list[str]:
        return [] if self.contents.made else ["there is nothing"]

    def close(self) -> None:
        self.closed = True
