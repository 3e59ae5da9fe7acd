"""What the store keeps: small, frozen records. Times are milliseconds since 1970, UTC.

Records are replaced, never changed in place (``msgspec.structs.replace``), so that a change can
be a pure function from an old record to a new one (see ``store/base.py``).
"""

import hashlib
from enum import StrEnum
from typing import Any, Literal

import msgspec

from pratai_common import limits


class Status(StrEnum):
    """Where a request stands. The last four are final."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Say whether no later outcome can replace this one."""
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset({Status.SUCCESS, Status.ERROR, Status.TIMEOUT, Status.CANCELLED})


class FunctionStatus(StrEnum):
    """Where a function, or one of its versions, stands."""

    BUILDING = "building"
    ACTIVE = "active"
    ERROR = "error"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: immutable, named fields only."""


class Function(Record, frozen=True, kw_only=True):
    """A function and its settings; its code is in its versions.

    ``version`` is the version that serves, ``None`` while none was ever built. ``newest_built``
    is the highest number whose build was settled well: a build that is settled a second time
    must not undo a rollback. ``limit`` bounds its runs at a time, ``retries`` says how often a
    run that failed by its own fault is repeated. ``endpoint_token`` names its public endpoint.
    """

    function_id: str
    project_id: str
    user_id: str
    name: str
    description: str = ""
    type: str = "async"
    event: str = "webhook"
    runtime: str = "python3"
    memory: int = limits.DEFAULT_MEMORY_MB
    cpus: float = 1.0
    timeout: int = limits.DEFAULT_TIMEOUT_SECONDS
    isolation: str = "container"
    network: str = "bridge"
    public: bool = False
    limit: int | None = None
    environment: dict[str, str] = {}
    retries: int = 0
    enabled: bool = True
    endpoint_token: str | None = None
    status: FunctionStatus = FunctionStatus.BUILDING
    build_error: str | None = None
    version: int | None = None
    newest_built: int = 0
    created_at: int
    updated_at: int
    deleted_at: int | None = None


class Version(Record, frozen=True, kw_only=True):
    """One upload of a function's code; immutable but for the outcome of its build."""

    function_id: str
    number: int
    project_id: str
    runtime: str
    archive_sha256: str
    size: int
    status: FunctionStatus = FunctionStatus.BUILDING
    build_error: str | None = None
    build_request_id: str
    created_at: int


class Attempt(Record, frozen=True, kw_only=True):
    """One try to run a request on one node."""

    number: int
    node: str
    epoch: int
    started_at: int
    finished_at: int | None = None
    reason: str | None = None
    message: str | None = None


class Request(Record, frozen=True, kw_only=True):
    """What one event asks of one function, from acceptance to its one final outcome.

    ``kind`` is ``run``, or ``build`` for the build of a version (shown by the function, not in
    lists of requests). ``next_run_at`` is when it may be dispatched next. ``event`` holds what is
    known of the event besides its data. ``reply_to`` is the API process whose caller waits.
    A ``running`` request without attempts is a synchronous call whose caller waits no longer:
    a node may have it, or the scheduler still holds it. ``dead`` marks a dead letter.
    """

    request_id: str
    kind: Literal["run", "build"] = "run"
    function_id: str
    project_id: str
    user_id: str
    source: str
    event: dict[str, Any] | None = None
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    replay_of: str | None = None
    retries: int = 0
    reply_to: str | None = None
    cancel_requested_at: int | None = None
    dead: bool = False
    status: Status = Status.QUEUED
    reason: str | None = None
    message: str | None = None
    version: int | None = None
    attempts: tuple[Attempt, ...] = ()
    input_sha256: str | None = None
    created_at: int
    started_at: int | None = None
    finished_at: int | None = None
    expires_at: int
    next_run_at: int
    queue_ms: int | None = None
    init_ms: float | None = None
    run_ms: float | None = None
    cold: bool | None = None
    isolation: str | None = None
    node: str | None = None
    peak_memory: int | None = None
    log_chunks: int | None = None

    @property
    def attempt(self) -> int:
        """Return the number of the current attempt, 0 before the first."""
        return self.attempts[-1].number if self.attempts else 0


class Body(Record, frozen=True, kw_only=True):
    """An input or a result: JSON text. ``content`` is ``None`` where it lies in the archives."""

    sha256: str
    size: int
    content: bytes | None = None

    @classmethod
    def inline(cls, content: bytes) -> "Body":
        """Return the body that carries these bytes itself."""
        return cls(sha256=hashlib.sha256(content).hexdigest(), size=len(content), content=content)


class LogChunk(Record, frozen=True, kw_only=True):
    """A piece of what a run printed; pieces of one attempt are numbered from 0 without gaps."""

    request_id: str
    attempt: int
    seq: int
    project_id: str
    content: bytes


class Subscription(Record, frozen=True, kw_only=True):
    """A function's interest in an event: calls of its endpoint, or the ticks of a timer.

    Tick k of a timer is due at ``since`` plus k times ``frequency_ms``; a changed timer counts
    anew. ``since`` is ``None`` in records older than the field: then ``created_at`` counts.
    """

    subscription_id: str
    function_id: str
    project_id: str
    user_id: str
    kind: Literal["webhook", "timer"]
    frequency_ms: int | None = None
    enabled: bool = True
    since: int | None = None
    created_at: int


class Daemon(Record, frozen=True, kw_only=True):
    """A live (or lately live) process of the platform, as ``GET /v1/cluster`` shows it."""

    daemon_type: str
    daemon_id: str
    joined_at: int
    seen_at: int
    ip: str
    version: str
    address: str | None = None
    pid: int | None = None
    dropped_messages: int = 0
    runtimes: dict[str, str] = {}
