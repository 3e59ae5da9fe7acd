"""What a project may have: more is refused, with how much there may be and how much there is.

The limits are those of ``[quota]``, or those that Keystone keeps (``unified_limits.py``). Who
creates several things at the same moment may get a few more than that. How many requests may come
is another matter: ``intake.py``.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from oslo_config import cfg
from stevedore import driver

from pratai_api.errors import ApiError
from pratai_common import limits, refusals
from pratai_common.clock import Clock, now_ms
from pratai_common.records import PUBLISHED, Status
from pratai_common.store.base import EventFilter, Page, Store

UNBOUNDED = -1
_PATIENCE_SECONDS = 2.0
"""How long the limits of a project are waited for that nobody has asked for yet."""

SHOWN_SECONDS = 5.0
"""For so long the count of a project's requests is shown again: it costs the more the more there
are, and whoever looks may look often."""

_MOST_PROJECTS = 1000


class Limits(NamedTuple):
    """How much a project may have of each thing, as ``[quota]`` says; ``UNBOUNDED`` and all below
    is as much as it likes. ``code_size`` is in MB.
    """

    functions: int = UNBOUNDED
    code_size: int = UNBOUNDED
    concurrent_requests: int = UNBOUNDED
    requests_per_minute: int = UNBOUNDED
    queued_requests: int = UNBOUNDED
    stored_results: int = UNBOUNDED
    events: int = UNBOUNDED
    published_events: int = UNBOUNDED
    timers: int = UNBOUNDED
    keys: int = UNBOUNDED

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Limits":
        """Return those of the configuration."""
        return cls(**{name: conf.quota[name] for name in cls._fields})


class LimitsOf(Protocol):
    """Gives the limits of a project. Where projects ``differ``, schedulers have to be told."""

    differ: bool

    def __call__(self, project_id: str, patience_seconds: float = 0.0) -> Limits:
        """Return them, as far as they are known within so many seconds."""


class Alike:
    """Limits that are the same for all projects."""

    differ = False

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def __call__(self, project_id: str, patience_seconds: float = 0.0) -> Limits:
        """See LimitsOf."""
        return self._limits


def configured(conf: cfg.ConfigOpts) -> LimitsOf:
    """Return the limits of ``[quota]``, which are those of all projects."""
    return Alike(Limits.from_conf(conf))


def open_limits(conf: cfg.ConfigOpts) -> LimitsOf:
    """Return the limits that the configuration names: its own, or Keystone's."""
    name = "unified" if conf.quota.unified_limits else "configured"
    plugin: Any = driver.DriverManager(
        "pratai.limits", name, invoke_on_load=True, invoke_args=(conf,)
    )
    limits_of: LimitsOf = plugin.driver
    return limits_of


class Quotas:
    """Counts what a project has, and refuses more than there may be: 403, or 413 for code."""

    def __init__(
        self,
        store: Store,
        limits_of: LimitsOf,
        clock: Clock = now_ms,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._limits_of = limits_of
        self._clock = clock
        self._now = now
        self._requests: OrderedDict[str, tuple[float, dict[Status, int]]] = OrderedDict()

    def limits(self, project_id: str) -> Limits:
        """Return how much a project may have."""
        return self._limits_of(project_id, _PATIENCE_SECONDS)

    def require_code(self, project_id: str, size: int, new: bool) -> None:
        """Refuse a version of so many bytes, of a ``new`` function or of one that is there; raises
        ApiError. Whether its zip is one that is kept already, and takes no more, is not looked at.
        """
        most, code = self.limits(project_id), self._store.count_code(project_id)
        if new:
            _require("functions", most.functions, code.functions)
        if 0 <= most.code_size * limits.MIB < code.size + size:
            figures = refusals.figures(f"{most.code_size} MB", _shown(code.size))
            message = f"the project's quota of code_size is {figures}: this zip has {_shown(size)}"
            raise ApiError(413, "quota", message)

    def require_event(self, project_id: str, source: str) -> None:
        """Refuse one more event of a source; raises ApiError.

        A deleted one counts until the agent has cleaned up: until then it has a place there.
        """
        most = self.limits(project_id)
        if source == PUBLISHED:
            used = self._published(project_id, most.published_events)
            _require("published_events", most.published_events, used)
        else:
            _require("events", most.events, self._sourced(project_id))

    def require_timer(self, project_id: str) -> None:
        """Refuse one more timer, where those that are disabled count; raises ApiError."""
        used = self._store.count_subscriptions(project_id, "timer")
        _require("timers", self.limits(project_id).timers, used)

    def require_key(self, project_id: str) -> None:
        """Refuse one more API key; raises ApiError."""
        _require("keys", self.limits(project_id).keys, self._keys(project_id))

    def used(self, project_id: str) -> dict[str, int]:
        """Return how much a project has, by the names of the limits, ``code_size`` in MB that are
        begun. What comes in a minute is not counted here. Requests are as they were counted up to
        ``SHOWN_SECONDS`` ago, and those that run are those that are recorded so: of a synchronous
        call there is no record until it has ended.
        """
        code = self._store.count_code(project_id)
        requests = self._counted(project_id)
        most = self.limits(project_id)
        return {
            "functions": code.functions,
            "code_size": -(-code.size // limits.MIB),
            "concurrent_requests": requests.get(Status.RUNNING, 0),
            "queued_requests": self._store.count_waiting().by_project.get(project_id, 0),
            "stored_results": ended(requests),
            "events": self._sourced(project_id),
            "published_events": self._published(project_id, most.published_events),
            "timers": self._store.count_subscriptions(project_id, "timer"),
            "keys": self._keys(project_id),
        }

    def _counted(self, project_id: str) -> dict[Status, int]:
        """Return how many requests a project has in each status, or had a moment ago."""
        until, requests = self._requests.get(project_id, (0.0, {}))
        if project_id not in self._requests or self._now() >= until:
            requests = self._store.count_requests(project_id)
            self._requests[project_id] = (self._now() + SHOWN_SECONDS, requests)
            if len(self._requests) > _MOST_PROJECTS:
                self._requests.popitem(last=False)
        return requests

    def _keys(self, project_id: str) -> int:
        """Return how many API keys a project has that somebody can use."""
        now = self._clock()
        return sum(not each.expired(now) for each in self._store.list_keys(project_id))

    def _sourced(self, project_id: str) -> int:
        return sum(each.project_id == project_id for each in self._store.sourced_events())

    def _published(self, project_id: str, most: int) -> int:
        page = Page(most if most > 0 else limits.MAX_COUNTED_EVENTS)
        return len(self._store.list_events(project_id, EventFilter(source=PUBLISHED), page))


def ended(requests: dict[Status, int]) -> int:
    """Return how many of the requests have ended, and have a result."""
    return sum(number for status, number in requests.items() if status.final)


def _require(name: str, most: int, used: int) -> None:
    if 0 <= most <= used:
        raise ApiError(403, "quota", refusals.over(name, most, used))


def _shown(size: int) -> str:
    return f"{size / limits.MIB:.1f} MB"
