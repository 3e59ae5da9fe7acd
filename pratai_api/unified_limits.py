"""Limits that Keystone keeps for each project: its unified limits, by oslo.limit.

What Keystone says of a project is good for a minute, and asked for again behind the back of whoever
needs it: no call of a function waits for Keystone. Where Keystone says nothing of a limit, and
until it first answers, that of ``[quota]`` counts; while it is away, what it said last.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from oslo_config import cfg
from oslo_limit import limit

from pratai_api.quotas import Limits

LOG = logging.getLogger(__name__)
KEPT_SECONDS = 60.0
_RETRY_SECONDS = 10.0
_MOST_PROJECTS = 10_000

Ask = Callable[[str], Mapping[str, int]]
"""Gives the limits of a project that Keystone knows, by name; may raise anything."""

JUDGED_ELSEWHERE = ("queued_requests",)
"""By agents, which never speak to Keystone, as well: of this ``[quota]`` alone counts. Nor do
schedulers, which are told of ``concurrent_requests`` with each request (``Request.most_runs``)."""

_TIMEOUT_SECONDS = 10
"""How long Keystone may be silent, unless ``[oslo_limit] timeout`` says otherwise: the library
would wait for ever, and nobody's limits would be asked for any more."""


class UnifiedLimits:
    """See the module, and ``pratai_api.quotas.LimitsOf``. May be used from many threads."""

    differ = True

    def __init__(
        self, ask: Ask, configured: Limits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._configured = configured
        self._now = now
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Limits]] = OrderedDict()
        self._asked: dict[str, Future[None]] = {}
        self._thread = ThreadPoolExecutor(1, "unified-limits")

    def __call__(self, project_id: str, patience_seconds: float = 0.0) -> Limits:
        """See LimitsOf."""
        with self._lock:
            known = self._known.get(project_id)
            if known is not None and self._now() < known[0]:
                return known[1]
            asked = self._asked.get(project_id)
            if asked is None:
                asked = self._asked[project_id] = self._thread.submit(self._refresh, project_id)
        if known is not None:
            return known[1]
        wait([asked], patience_seconds)
        with self._lock:
            known = self._known.get(project_id)
        return self._configured if known is None else known[1]

    def close(self) -> None:
        """Ask no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _refresh(self, project_id: str) -> None:
        with self._lock:
            former = self._known.get(project_id, (0.0, self._configured))[1]
        try:
            found, good = self._merged(self._ask(project_id)), KEPT_SECONDS
        except Exception as error:  # noqa: BLE001 - the library lets through whatever goes wrong
            LOG.warning("Keystone does not tell the limits of project %s: %s", project_id, error)
            found, good = former, _RETRY_SECONDS
        with self._lock:
            self._known[project_id] = (self._now() + good, found)
            self._known.move_to_end(project_id)
            if len(self._known) > _MOST_PROJECTS:
                self._known.popitem(last=False)
            del self._asked[project_id]

    def _merged(self, said: Mapping[str, int]) -> Limits:
        ours = {
            name: value
            for name, value in said.items()
            if name in Limits._fields and name not in JUDGED_ELSEWHERE
        }
        return self._configured._replace(**ours)


def open_unified(conf: cfg.ConfigOpts) -> UnifiedLimits:
    """Return the limits that Keystone keeps, as ``[oslo_limit]`` says, which need not be there."""
    return UnifiedLimits(_keystone(conf), Limits.from_conf(conf))


def _keystone(conf: cfg.ConfigOpts) -> Ask:
    """Return what asks Keystone, as ``[oslo_limit]`` says.

    oslo.limit reads the process's global configuration, which nothing else here does: it is given
    the same files.
    """
    cfg.CONF(
        [],
        project="pratai",
        default_config_files=conf.config_file,
        default_config_dirs=conf.config_dir or [],
    )
    cfg.CONF.set_default("timeout", _TIMEOUT_SECONDS, group="oslo_limit")
    made: list[limit.Enforcer] = []

    def ask(project_id: str) -> Mapping[str, int]:
        if not made:  # first when it is needed: an API starts while Keystone is away
            made.append(limit.Enforcer(lambda _project, _names: {}, cache=False))
        enforcer = made[0]
        registered: object = None  # oslo.limit's word for all of them
        return {
            **dict(enforcer.get_registered_limits(registered)),  # type: ignore[arg-type]
            **dict(enforcer.get_project_limits(project_id, registered)),  # type: ignore[arg-type]
        }

    return ask
