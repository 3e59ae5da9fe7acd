"""What a project may have, as the configuration says: more is refused.

Who creates several at the same moment may get a few more than that.
"""

from typing import NamedTuple

from oslo_config import cfg

from pratai_api.errors import ApiError
from pratai_common.records import PUBLISHED
from pratai_common.store.base import EventFilter, Page, Store


class Quotas(NamedTuple):
    """The numbers, for each project: see ``[quota]`` in ``pratai_common/conf.py``."""

    events: int
    published_events: int
    timers: int

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Quotas":
        """Return those of the configuration."""
        return cls(**{name: conf.quota[name] for name in cls._fields})

    def require_event(self, store: Store, project_id: str, source: str) -> None:
        """Refuse one more event of a source; raises ApiError (409).

        A deleted one counts until the agent has cleaned up: until then it has a place there.
        """
        if source == PUBLISHED:
            page = Page(self.published_events)
            used = len(store.list_events(project_id, EventFilter(source=PUBLISHED), page))
            _require("published_events", self.published_events, used)
        else:
            used = sum(each.project_id == project_id for each in store.sourced_events())
            _require("events", self.events, used)

    def require_timer(self, store: Store, project_id: str) -> None:
        """Refuse one more timer, where those that are disabled count; raises ApiError (409)."""
        _require("timers", self.timers, store.count_subscriptions(project_id, "timer"))


def _require(name: str, most: int, used: int) -> None:
    if used >= most:
        message = f"the project's quota of {name} is {most}, of which {used} are used"
        raise ApiError(409, "quota", message)
