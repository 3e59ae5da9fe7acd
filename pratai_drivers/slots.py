"""The threads of a node that do its jobs, one each at a time."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pratai_common.errors import Reason
from pratai_common.log_context import logged
from pratai_common.messages import Build, Job, Result
from pratai_drivers.executor import Executor
from pratai_drivers.interruption import Interruption
from pratai_drivers.line import Line
from pratai_drivers.spool import Key

LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class _Taken:
    job: Job | Build
    interruption: Interruption


class Slots:
    """Does what stands in ``line`` with ``count`` threads, from ``start`` to ``stop``.

    ``suspect`` is called where the node itself failed at a job.
    """

    def __init__(
        self, count: int, line: Line, executor: Executor, suspect: Callable[[], None]
    ) -> None:
        self._line = line
        self._executor = executor
        self._suspect = suspect
        self._deliver: Callable[[Result], None]
        self._done: Callable[[Job | Build], None]
        self._taken: list[_Taken] = []
        self._ending: str | None = None
        self._stopped = False
        self._begun = 0
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._threads = [
            threading.Thread(target=self._serve, name=f"slot-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self, deliver: Callable[[Result], None], done: Callable[[Job | Build], None]) -> None:
        """Begin. ``deliver`` is given results, ``done`` what takes no capacity any more."""
        self._deliver = deliver
        self._done = done
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more; threads that do a job end after it."""
        with self._lock:
            self._stopped = True
            self._work.notify_all()

    def put(self, job: Job | Build) -> None:
        """Have a job done as soon as there is room for it."""
        taken = _Taken(job, Interruption())
        with self._lock:
            if self._ending is not None:
                taken.interruption.interrupt(Reason.NODE_LOST, self._ending)
            self._taken.append(taken)
            self._line.join(job)
            self._work.notify()

    def interrupt(self, key: Key, reason: Reason, message: str) -> None:
        """End a job, also one that has not begun; it gives a result all the same."""
        with self._lock:
            for each in self._taken:
                if (each.job.request_id, each.job.attempt) == key:
                    each.interruption.interrupt(reason, message)

    def interrupt_all(self, message: str) -> None:
        """End what still runs, and what yet comes; the scheduler repeats it elsewhere."""
        with self._lock:
            self._ending = message
            for each in self._taken:
                each.interruption.interrupt(Reason.NODE_LOST, message)

    def wait_idle(self, seconds: float) -> bool:
        """Return whether all jobs ended within so many seconds."""
        with self._lock:
            return self._idle.wait_for(lambda: not self._taken, seconds)

    def _serve(self) -> None:
        while (taken := self._next()) is not None:
            with logged(taken.job.request_id):
                try:
                    self._do(taken)
                except Exception:
                    # The scheduler hears nothing more of the job, and repeats it.
                    LOG.exception("a fault of the node")
                    self._suspect()
                finally:
                    self._let_go(taken)

    def _next(self) -> _Taken | None:
        """Wait for a job that may begin; ``None`` where no more do."""
        with self._lock:
            while not self._stopped:
                job = self._line.begin()
                if job is not None:
                    self._begun += 1
                    if len(self._taken) > self._begun:
                        self._work.notify()  # one wakes the next: most often none is needed
                    return next(each for each in self._taken if each.job is job)
                self._work.wait()
        return None

    def _do(self, taken: _Taken) -> None:
        job = taken.job
        LOG.debug("attempt %d begins", job.attempt)
        if isinstance(job, Build):
            self._executor.build(job, self._deliver, taken.interruption)
        else:
            self._executor.run(job, self._deliver, taken.interruption)

    def _let_go(self, taken: _Taken) -> None:
        with self._lock:
            self._line.leave(taken.job)
            self._taken.remove(taken)
            self._begun -= 1
            taken.interruption.close()
            if not self._taken:
                self._idle.notify_all()
        self._done(taken.job)
