"""Does what a job asks: makes the image if it must, runs the container, says how it ended."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import asdict, replace

from pratai_common import limits, tracing
from pratai_common.clock import Clock, now_us
from pratai_common.errors import (
    ArchiveMissingError,
    BuildError,
    EngineError,
    ImageMissingError,
    PrataiError,
    Reason,
    TransferError,
    WithheldError,
)
from pratai_common.log_context import carried
from pratai_common.messages import AttemptMessage, Build, Job, LogPiece, Result
from pratai_common.records import Body, Timing
from pratai_drivers.builder import Builder
from pratai_drivers.fit import Fit
from pratai_drivers.interruption import Interruption
from pratai_drivers.logs import LogCutter
from pratai_drivers.masking import NO_MASK, Mask
from pratai_drivers.pool import Pool
from pratai_drivers.secrets_cache import Given, SecretsCache
from pratai_drivers.session import Ending, Session
from pratai_drivers.starter import Starter
from pratai_drivers.transfers import Fetcher
from pratai_drivers.warm import Warm

LOG = logging.getLogger(__name__)
Deliver = Callable[[Result], None]
Emit = Callable[[LogPiece], None]


class Executor:
    """Runs and builds, one at a time on each thread that calls it.

    ``emit`` gets the pieces of an attempt's log. ``deliver`` gets the result as soon as it is
    known; what is cleaned up after it keeps nobody waiting but this node. ``suspect`` is called
    before the result where the engine, or a transfer, failed.
    """

    def __init__(
        self,
        starter: Starter,
        pool: Pool,
        builder: Builder,
        transfers: Fetcher,
        secrets: SecretsCache,
        emit: Emit,
        suspect: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._starter = starter
        self._pool = pool
        self._builder = builder
        self._transfers = transfers
        self._secrets = secrets
        self._emit = emit
        self._suspect = suspect
        self._clock = clock

    def build(self, job: Build, deliver: Deliver, interruption: Interruption) -> None:
        """Make a version's image."""
        logs = self._logs(job)
        started_at = self._clock()
        reason = message = None
        self._pool.give_way()
        with _Writer(logs) as say:
            try:
                self._builder.image(job.package, say, lambda: interruption.reason is not None)
            except PrataiError as error:
                reason, message = self._explain(job, error, interruption)
                say(f"{message}\n".encode())
        deliver(self._result(job, started_at, logs.chunks, reason, message))

    def run(self, job: Job, deliver: Deliver, interruption: Interruption) -> None:
        """Run a request in a container that waits for it, or in a new one."""
        logs = self._logs(job)
        started_at = self._clock()
        delivered = False
        try:
            given = self._secrets.of(job, lambda: interruption.reason is not None)
            payload = self._payload(job, interruption)
            with self._warm(job, given, interruption) as run:
                started_at = self._clock()
                mask = Mask(run.warm.hidden(given))
                logs = self._logs(job, mask)
                cold, first = not run.warm.ready, run.warm.events == 0
                context = _context(job, given)
                session = Session(run.warm, logs, interruption, context, payload, job.timeout)
                ending = session.run()
                timing = _timing(job, ending)
                # A container says only what it needed most since it began.
                peak = run.warm.container.peak_memory() if first else None
                message = mask.message(ending.message)
                result = self._result(job, started_at, logs.chunks, ending.reason, message)
                ended = _ended(result, job, run.warm, ending, cold, peak)
                delivered = True
                if ending.answered:
                    self._pool.settles(run.warm)
                deliver(replace(ended, timing=timing))
                run.again = ending.answered and run.warm.settle(interruption)
        except PrataiError as error:
            if delivered:  # a second result could take the place of the first
                raise
            reason, message = self._explain(job, error, interruption)
            logs.flush()
            deliver(self._result(job, started_at, logs.chunks, reason, message))

    def _payload(self, job: Job, interruption: Interruption) -> bytes:
        """Return what came in; raises ArchiveMissingError and TransferError."""
        body = job.input
        if body.content is not None:
            return body.content
        if job.input_url is None:
            raise TransferError("the job says neither what came in nor where it is")
        return self._transfers.fetch(
            job.input_url,
            body.sha256,
            limits.MAX_BODY_BYTES,
            lambda: interruption.reason is not None,
        )

    def _image(self, job: Job, interruption: Interruption) -> str:
        """Return the job's image; raises EngineError for a job that is not wanted any more."""
        image = self._builder.known_image(job.package)
        if image is None:
            image = self._builder.image(
                job.package, _silent, lambda: interruption.reason is not None
            )
        if interruption.reason is not None:
            raise EngineError("interrupted before its container began")
        return image

    def _explain(
        self, job: AttemptMessage, error: PrataiError, interruption: Interruption
    ) -> tuple[Reason, str]:
        """Return the reason and message for what ended a job; whoever interrupted it has both."""
        if interruption.reason is not None:
            return interruption.reason, interruption.message
        if isinstance(error, ArchiveMissingError):
            return Reason.INPUT_MISSING, "what came in is no longer stored"
        if isinstance(error, BuildError):
            return Reason.IMAGE_BUILD, str(error)
        if isinstance(error, WithheldError):
            return error.reason, str(error)
        LOG.error("the node failed", exc_info=error)
        self._suspect()
        return Reason.NODE_LOST, str(error)

    def _logs(self, job: AttemptMessage, mask: Mask = NO_MASK) -> LogCutter:
        def emit(seq: int, content: bytes) -> None:
            self._emit(LogPiece(**_claim(job), seq=seq, content=content))

        return LogCutter(emit, mask)

    @contextmanager
    def _warm(self, job: Job, given: Given, interruption: Interruption) -> Iterator["_Run"]:
        """Find a container, or start one; what becomes of it afterwards the pool decides."""
        fit = Fit.of(job, given.digest)
        run = None
        warm = self._pool.take(fit, job.timeout, job.spares)
        try:
            if warm is None:
                warm = self._start(job, fit, given, interruption)
            self._builder.records.used(warm.image)
            run = _Run(warm)
            yield run
        finally:
            self._pool.release(fit, warm, run is not None and run.again)

    def _start(self, job: Job, fit: Fit, given: Given, interruption: Interruption) -> Warm:
        """Start a container; the image is made again, once, where it is gone from the engine."""
        image = self._image(job, interruption)
        self._pool.give_way()
        try:
            adopted = self._pool.adopt(fit, image, given)
            return adopted or self._starter.start(fit, image, given)
        except ImageMissingError:
            LOG.warning("the image %s is gone, and is made again", image)
            self._builder.records.gone(image)
            return self._starter.start(fit, self._image(job, interruption), given)

    def _result(
        self,
        job: AttemptMessage,
        started_at: int,
        chunks: int,
        reason: str | None,
        message: str | None,
    ) -> Result:
        return Result(
            **_claim(job),
            ticket=job.ticket if isinstance(job, Job) else None,
            reason=reason,
            message=message,
            started_at=started_at,
            finished_at=self._clock(),
            log_chunks=chunks,
        )


@dataclass
class _Run:
    """A container during an event; ``again`` says that it may have another."""

    warm: Warm
    again: bool = False


def _claim(job: AttemptMessage) -> dict[str, Any]:
    """Return what proves that a message speaks for a job's attempt."""
    return {name: getattr(job, name) for name in AttemptMessage.__struct_fields__}


class _Writer:
    """Sends what a build prints to its log, also while it prints nothing more for a time."""

    def __init__(self, logs: LogCutter) -> None:
        self._logs = logs
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=carried(self._serve), name="build-log", daemon=True)

    def __call__(self, output: bytes) -> None:
        with self._lock:
            self._logs.write(output, time.monotonic())

    def __enter__(self) -> "_Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._logs.flush()

    def _serve(self) -> None:
        while not self._ended.wait(limits.LOG_CHUNK_SECONDS):
            with self._lock:
                self._logs.flush_due(time.monotonic())


def _silent(_output: bytes) -> None:
    """Keep a build's log out of a run's."""


def _ended(
    result: Result, job: Job, warm: Warm, ending: Ending, cold: bool, peak_memory: int | None
) -> Result:
    """Return a result with what is known of a run whose container was there."""
    return replace(
        result,
        output=None if ending.output is None else Body.inline(ending.output),
        response=ending.response,
        init_ms=ending.init_ms,
        run_ms=ending.run_ms,
        cold=cold,
        isolation=job.isolation if warm.alone is None else "container",
        peak_memory=peak_memory,
    )


def _timing(job: Job, ending: Ending) -> Timing | None:
    """Return when a run that has ended just now was where."""
    if job.timing is None:
        return None
    ended = now_us()
    started = None if ending.run_ms is None else ended - int(ending.run_ms * 1000)
    return replace(job.timing, started=started, ended=ended)


def _context(job: Job, given: Given) -> dict[str, object]:
    """Return what the function learns of its event from ``pratai.context``."""
    return {
        "request_id": job.request_id,
        "attempt": job.attempt,
        "function": job.function_name,
        "function_id": job.package.function_id,
        "version": job.package.version,
        "project_id": job.project_id,
        "source": job.source,
        "event": job.event,
        "identity": None if given.identity is None else asdict(given.identity),
        tracing.TRACESTATE: None,
        **tracing.of_run(job.request_id, job.attempt, job.event).attributes,
    }
