"""How many requests may wait: asked before anything of a new one is written.

The store knows how many wait, of each project. Each process that makes requests (an API process, an
agent) asks it once a second, and counts what it lets in itself meanwhile. Of what is free each of
n such processes takes one part in n before it counts again: so together they take hardly more than
there is, however fast requests come. What that leaves inexact is said in
``doc/source/admin/capacity.rst``.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol

from oslo_config import cfg

from pratai_common import refusals
from pratai_common.beat import Witness
from pratai_common.clock import Clock
from pratai_common.errors import OverloadedError, StoreUnavailableError
from pratai_common.store.base import Store, Waiting

LOG = logging.getLogger(__name__)
COUNT_SECONDS = 1.0
RETRY_SECONDS = 1
"""Who was refused comes back after so long: by then it was counted again."""

_MAKERS = ("api", "agent")
"""The daemons that share what is free. What follows from a run is made by collectors, and promised:
it is not asked for."""

_Counts = Counter[str | None]
"""Requests by project; ``None`` is all of them."""


class Bounds(NamedTuple):
    """How many requests may wait: of a project, and of all. See ``[quota]``."""

    project: int
    total: int

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Bounds":
        """Return those of the configuration."""
        return cls(conf.quota.queued_requests, conf.quota.all_queued_requests)


class Door(Protocol):
    """Lets requests in, or does not."""

    def require(self, project_id: str) -> None:
        """Raise OverloadedError where no more may be let in for a project."""

    def admitted(self, project_ids: Sequence[str]) -> AbstractContextManager[None]:
        """Let requests in, each of the project that is named, which the block writes; raises
        OverloadedError.
        """

    def most_runs(self, project_id: str) -> int | None:
        """Return how many runs of a project there may be at a time, for the scheduler; ``None``
        where that is not known here.
        """


class Admission:
    """What one process knows of what waits, and lets in. May be used from many threads.

    What was let in is added to the last count until there is one that began after it was written.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._processes = 1
        self._counted = Waiting(0, {})
        self._writing: _Counts = Counter()
        self._written: _Counts = Counter()
        self._written_before: _Counts = Counter()

    def require(self, project_id: str) -> None:
        """Raise OverloadedError where no more may be let in for a project."""
        with self._lock:
            self._require(project_id)

    @contextmanager
    def admitted(self, project_ids: Sequence[str]) -> Iterator[None]:
        """Let requests in, each of the project that is named, which the block writes.

        All of them or none; the last that are let in may be more than there is room for, else many
        at once would never be. Raises OverloadedError.
        """
        counts: _Counts = Counter(project_ids)
        with self._lock:
            for project_id in dict.fromkeys(project_ids):
                self._require(project_id)
            counts[None] = len(project_ids)
            self._writing += counts
        try:
            yield
        finally:
            with self._lock:
                self._writing -= counts
                self._written += counts

    def most_runs(self, project_id: str) -> int | None:
        """See Door: an agent knows nothing of it."""
        return None

    def begin_count(self) -> None:
        """Note that the store is asked now: its answer has all that was written by now."""
        with self._lock:
            self._written_before += self._written
            self._written = Counter()

    def end_count(self, counted: Waiting, processes: int) -> None:
        """Note how many wait, and how many processes share what is free."""
        with self._lock:
            self._counted = counted
            self._processes = max(1, processes)
            self._written_before = Counter()

    def _require(self, project_id: str) -> None:
        most = self._bounds.project
        waiting, full = self._stand(project_id, most)
        if full:
            message = refusals.over("queued_requests", most, waiting)
            raise OverloadedError(self._told(message, waiting, most), project_id, RETRY_SECONDS)
        most = self._bounds.total
        waiting, full = self._stand(None, most)
        if full:
            message = f"of all projects {waiting} requests wait, and {most} may"
            raise OverloadedError(self._told(message, waiting, most), None, RETRY_SECONDS)

    def _stand(self, project_id: str | None, most: int) -> tuple[int, bool]:
        """Return how many wait as far as is known here, and whether no more are let in."""
        counted = (
            self._total() if project_id is None else self._counted.by_project.get(project_id, 0)
        )
        own = sum(each[project_id] for each in (self._writing, self._written, self._written_before))
        share = -(-(most - counted) // self._processes)
        return counted + own, own >= share

    def _total(self) -> int:
        """Return how many wait of all projects. What follows from runs is let in always: of a
        project that has more than its quota by that, the others are not to suffer.
        """
        by_project = self._counted.by_project.values()
        most = self._bounds.project
        return self._counted.total - sum(each - most for each in by_project if each > most)

    def _told(self, message: str, waiting: int, most: int) -> str:
        if waiting >= most:
            return message
        return f"{message}; the rest is for the other {self._processes - 1} processes for now"


class Counting:
    """The thread that counts for an ``Admission``, from ``start`` to ``stop``. Who lives is judged
    by the ``witness`` of this process.
    """

    def __init__(self, store: Store, admission: Admission, witness: Witness, clock: Clock) -> None:
        self._store = store
        self._admission = admission
        self._witness = witness
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="admission", daemon=True)

    def start(self) -> None:
        """Count, and go on in a thread."""
        self.count()
        self._thread.start()

    def stop(self) -> None:
        """Count no more."""
        self._ended.set()
        self._thread.join()

    def count(self) -> None:
        """Count once; while the store is away all stays as it was last counted."""
        self._admission.begin_count()
        try:
            waiting, processes = self._store.count_waiting(), self._makers()
        except StoreUnavailableError as error:
            LOG.warning("what waits is not counted: %s", error)
        else:
            self._admission.end_count(waiting, processes)

    def _makers(self) -> int:
        daemons = self._store.list_daemons()
        return len(self._witness.living(daemons, self._clock(), *_MAKERS))

    def _serve(self) -> None:
        while not self._ended.wait(COUNT_SECONDS):
            try:
                self.count()
            except Exception:
                # It goes on: who counts no more lets nobody in, sooner or later.
                LOG.exception("what waits is not counted")
