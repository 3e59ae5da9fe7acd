"""Does what a job asks: makes the image if it must, runs the container, says how it ended."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from msgspec.structs import replace
from oslo_config import cfg

from pratai_common import limits
from pratai_common.clock import Clock
from pratai_common.errors import (
    ArchiveMissingError,
    BuildError,
    EngineError,
    PrataiError,
    Reason,
    TransferError,
)
from pratai_common.log_context import carried
from pratai_common.messages import AttemptMessage, Build, Job, LogPiece, Result
from pratai_common.records import Body
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import Container, Engine, RunSpec
from pratai_drivers.folders import runs_path
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.session import Ending, Session
from pratai_drivers.transfers import Transfers

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
        engine: Engine,
        builder: Builder,
        transfers: Transfers,
        conf: cfg.ConfigOpts,
        emit: Emit,
        suspect: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._builder = builder
        self._transfers = transfers
        self._conf = conf
        self._emit = emit
        self._suspect = suspect
        self._clock = clock

    def build(self, job: Build, deliver: Deliver, interruption: Interruption) -> None:
        """Make a version's image."""
        logs = self._logs(job)
        started_at = self._clock()
        reason = message = None
        with _Writer(logs) as say:
            try:
                self._builder.image(job.package, say, lambda: interruption.reason is not None)
            except PrataiError as error:
                reason, message = self._explain(job, error, interruption)
                say(f"{message}\n".encode())
        deliver(self._result(job, started_at, logs.chunks, reason, message))

    def run(self, job: Job, deliver: Deliver, interruption: Interruption) -> None:
        """Run a request in a container of its own."""
        logs = self._logs(job)
        started_at = self._clock()
        try:
            payload = self._payload(job, interruption)
            image = self._image(job, interruption)
            started_at = self._clock()
            with self._link(job) as link, self._container(job, image, link) as container:
                context = _context(job)
                session = Session(
                    link,
                    logs,
                    interruption,
                    context,
                    payload,
                    job.timeout,
                    self._conf.driver.start_seconds,
                )
                ending = session.run(container)
                peak = container.peak_memory()
                deliver(self._ended(job, started_at, logs.chunks, ending, peak))
        except PrataiError as error:
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
        LOG.error("the node failed", exc_info=error)
        self._suspect()
        return Reason.NODE_LOST, str(error)

    def _logs(self, job: AttemptMessage) -> LogCutter:
        def emit(seq: int, content: bytes) -> None:
            self._emit(LogPiece(**_claim(job), seq=seq, content=content))

        return LogCutter(emit)

    @contextmanager
    def _link(self, job: Job) -> Iterator[Link]:
        """Make a run's folder; what a crash leaves is removed at the node's next start."""
        link = Link(runs_path(self._conf) / f"{job.request_id}-{secrets.token_hex(4)}")
        try:
            yield link
        finally:
            link.close()

    @contextmanager
    def _container(self, job: Job, image: str, link: Link) -> Iterator[Container]:
        spec = RunSpec(
            # Neighbours on the network can learn a container's name, so it says nothing.
            name=f"{self._conf.installation}-{secrets.token_hex(8)}",
            image=image,
            link=link.folder,
            memory=job.memory,
            cpus=job.cpus,
            network=job.network,
            environment=job.environment,
        )
        container = self._engine.start(spec)
        try:
            yield container
        finally:
            with suppress(EngineError):
                container.remove()

    def _ended(
        self, job: Job, started_at: int, chunks: int, ending: Ending, peak_memory: int | None
    ) -> Result:
        output = None if ending.output is None else Body.inline(ending.output)
        return replace(
            self._result(job, started_at, chunks, ending.reason, ending.message),
            output=output,
            response=ending.response,
            init_ms=ending.init_ms,
            run_ms=ending.run_ms,
            cold=True,
            isolation=job.isolation,
            peak_memory=peak_memory,
        )

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


def _context(job: Job) -> dict[str, object]:
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
    }
