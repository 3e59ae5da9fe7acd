"""How many requests a project may make: as many at once, a minute, and as many as are kept.

Asked before anything of a request is written, of each that comes by the API. What comes by agents
(timers, sources) is bounded by what may wait, and what follows from a run was promised.

A minute's requests are a token bucket for each project; each of the n API processes that live has
one of a share of 1/n. What that leaves inexact is said in ``doc/source/admin/quotas.rst``.
"""

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pratai_api.quotas import Limits, LimitsOf, ended
from pratai_api.rates import Rates
from pratai_common.admission import Admission
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.refusals import over
from pratai_common.store.base import Store

LOG = logging.getLogger(__name__)
COUNT_SECONDS = 10.0
"""For so long a count of stored results is good at least; where there is room for many more, until
half of it could be used up.
"""

_MOST_COUNT_SECONDS = 600.0
_MOST_A_SECOND = 10_000
"""Requests of a project that may make as many as it likes: more have never been seen."""

_MOST_PROJECTS = 10_000
_STORED_RETRY_SECONDS = 60


class Intake:
    """Lets requests in, as ``Admission`` does, which is asked as well. May be used from many
    threads.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission | None,
        limits_of: LimitsOf,
        rates: Rates,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._admission = admission
        self._limits_of = limits_of
        self._rates = rates
        self._now = now
        self._lock = threading.Lock()
        self._stored: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def require(self, project_id: str) -> None:
        """Raise OverloadedError where no more of a project may wait."""
        if self._admission is not None:
            self._admission.require(project_id)

    @contextmanager
    def admitted(self, project_ids: Sequence[str]) -> Iterator[None]:
        """Let requests in, each of the project that is named, which the block writes: all of them
        or none. Raises OverloadedError.
        """
        for project_id, number in Counter(project_ids).items():
            self.require(project_id)
            self.take(project_id, number)
        if self._admission is None:
            yield
            return
        with self._admission.admitted(project_ids):
            yield

    def take(self, project_id: str, number: int = 1) -> None:
        """Count requests of a project that are made now; raises OverloadedError where they are too
        many.
        """
        most = self._limits_of(project_id)
        if most.stored_results >= 0:
            used = self._stored_results(project_id, most)
            if used >= most.stored_results:
                message = over("stored_results", most.stored_results, used)
                raise OverloadedError(message, project_id, _STORED_RETRY_SECONDS)
        rate = most.requests_per_minute
        if rate == 0:
            message = over("requests_per_minute", 0, 0)
            raise OverloadedError(message, project_id, _STORED_RETRY_SECONDS)
        if rate > 0 and (seconds := self._rates.wait_for(project_id, rate, number)):
            message = over("requests_per_minute", rate, self.in_a_minute(project_id))
            raise OverloadedError(message, project_id, seconds)

    def most_runs(self, project_id: str) -> int | None:
        """See Door."""
        return self._limits_of(project_id).concurrent_requests if self._limits_of.differ else None

    def in_a_minute(self, project_id: str) -> int:
        """Return how many of a minute's requests are used, if as many came to each API process as
        to this one.
        """
        rate = self._limits_of(project_id).requests_per_minute
        return self._rates.used(project_id, rate) if rate > 0 else 0

    def _stored_results(self, project_id: str, most: Limits) -> int:
        """Return how many results of a project are kept, as counted some time ago. While the store
        is away the former count is good: who needs the store as well will hear of that there.
        """
        with self._lock:
            until, number = self._stored.get(project_id, (0.0, 0))
            if project_id in self._stored and self._now() < until:
                return number
            # Who comes meanwhile goes by the former count: one counts for all.
            self._keep(project_id, COUNT_SECONDS, number)
        try:
            number = ended(self._store.count_requests(project_id))
        except StoreUnavailableError as error:
            LOG.warning("the results of project %s are not counted: %s", project_id, error)
            return number
        with self._lock:
            self._keep(project_id, _good_for(most, number), number)
        return number

    def _keep(self, project_id: str, seconds: float, number: int) -> None:
        self._stored[project_id] = (self._now() + seconds, number)
        self._stored.move_to_end(project_id)
        if len(self._stored) > _MOST_PROJECTS:
            self._stored.popitem(last=False)


def _good_for(most: Limits, used: int) -> float:
    """Return for how many seconds a count is good."""
    rate = most.requests_per_minute / 60 if most.requests_per_minute > 0 else _MOST_A_SECOND
    seconds = (most.stored_results - used) / rate / 2
    return min(max(seconds, COUNT_SECONDS), _MOST_COUNT_SECONDS)
