"""What the store keeps: small, frozen records. Times are milliseconds since 1970, UTC.

Records are replaced, never changed in place (``msgspec.structs.replace``), so that a change can
be a pure function from an old record to a new one (see ``store/base.py``).
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

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


PUBLISHED = "published"
"""The source of an event that nothing but the API publishes on."""

Isolation = Literal["container", "process", "shared"]
"""What a function's events share: nothing, what its import made, or one process."""

_OF_HTTP = ("method", "headers", "query")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: immutable, named fields only."""


class SecretUse(Record, frozen=True, kw_only=True):
    """A secret that a function needs, by its name in the project, and where its code finds it: in a
    file of ``/run/secrets``, or in a variable of its environment.
    """

    name: str
    file: str | None = None
    environment: str | None = None


class Trust(Record, frozen=True, kw_only=True):
    """The right that a user gave to a function: to act for them in its project, in these roles.

    ``trust_id`` is Keystone's. Where there is a ``sealed`` secret it is that of an application
    credential, which ``trust_id`` names then. Where ``asked`` is false the function has the right
    for its secrets alone, and its code gets no token.
    """

    trust_id: str
    user_id: str
    roles: tuple[str, ...]
    asked: bool = True
    sealed: str | None = None


class Function(Record, frozen=True, kw_only=True):
    """A function and its settings; its code is in its versions.

    ``version`` is the version that serves, ``None`` while none was ever built. ``newest_built``
    is the highest number whose build was settled well: a build that is settled a second time
    must not undo a rollback. ``limit`` bounds its runs at a time, ``retries`` says how often a
    run that failed by its own fault is repeated. ``isolation`` is what its events share, ``spares``
    how many containers of it wait for events on a node that runs it, ``None`` for as many as it
    seems to need. ``endpoint_token`` names its public endpoint, and ``auth`` says how a caller of
    that is known: by ``auth_secret``, which is sealed. At most ``rate_limit`` calls of it a minute.
    The projects of ``shared_with`` may call it, too. ``on_failure`` is the event that its dead
    letters go to, ``max_age`` how many seconds a request may wait, repetitions included.
    ``secrets`` are those that its code needs, by their names, and ``trust`` by whose right.
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
    isolation: Isolation = "container"
    spares: int | None = None
    network: str = "bridge"
    public: bool = False
    shared_with: tuple[str, ...] = ()
    limit: int | None = None
    environment: dict[str, str] = {}
    secrets: tuple[SecretUse, ...] = ()
    trust: Trust | None = None
    retries: int = 0
    enabled: bool = True
    endpoint_token: str | None = None
    auth: Literal["none", "token", "github", "standard"] = "none"
    auth_secret: str | None = None
    rate_limit: int | None = None
    on_failure: str | None = None
    max_age: int | None = None
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


HeaderName = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")]
HeaderValue = Annotated[str, Meta(pattern=r"^[\t -~]*\Z")]


class ResponseHead(Record, frozen=True, kw_only=True):
    """How a function wants what it returned to be answered by HTTP.

    ``encoding`` says what the result, which is JSON, stands for: itself, or the text, or the bytes
    in base64, that the body is made of.
    """

    status: Annotated[int, Meta(ge=200, le=599)] = 200
    headers: Annotated[dict[HeaderName, HeaderValue], Meta(max_length=50)] = {}
    encoding: Literal["json", "text", "base64"] = "json"


Microseconds = Annotated[int, Meta(ge=0, le=2**53)]


class Timing(Record, frozen=True, kw_only=True):
    """When a request, in the attempt that ended it, was at each station: microseconds since 1970,
    by the clock of the machine that the station is on.

    ``accepted`` by whoever made the request, ``dispatched`` by the scheduler, ``taken`` by the
    node. The event was handed to the function at ``started``, which answered at ``ended``; that is
    ``settled`` when the collector has it, and a caller who waits is answered.
    """

    accepted: Microseconds
    dispatched: Microseconds | None = None
    taken: Microseconds | None = None
    started: Microseconds | None = None
    ended: Microseconds | None = None
    settled: Microseconds | None = None


class Request(Record, frozen=True, kw_only=True):
    """What one event asks of one function, from acceptance to its one final outcome.

    ``kind`` is ``run``, or ``build`` for the build of a version (shown by the function, not in
    lists of requests). ``next_run_at`` is when it may be dispatched next. ``event`` holds what is
    known of the event besides its data. ``reply_to`` is the API process whose caller waits,
    ``caller_project_id`` the project of one that is not of ``project_id``. ``most_runs`` is how
    many runs this may have at a time, where Keystone says so. A ``running`` request without
    attempts is a synchronous call whose caller waits no longer: a node may have it, or the
    scheduler still holds it. ``dead`` marks a dead letter.

    ``parent_id`` is the request whose end caused this one, ``root_id`` the first of the chain, at
    whose end of ``depth`` steps this one is; ``chain_budget`` is how many may still descend from
    it. ``following`` says that what follows from its end may not be recorded yet.
    """

    request_id: str
    kind: Literal["run", "build"] = "run"
    function_id: str
    project_id: str
    user_id: str
    caller_project_id: str | None = None
    most_runs: int | None = None
    source: str
    event: dict[str, Any] | None = None
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    chain_budget: int = limits.CHAIN_REQUESTS
    following: bool = False
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
    response: ResponseHead | None = None
    timing: Timing | None = None

    @property
    def attributes(self) -> dict[str, Any] | None:
        """Return what CloudEvents say of the event: an HTTP request may have been sent secrets."""
        if self.event is None:
            return None
        return {name: value for name, value in self.event.items() if name not in _OF_HTTP}

    @property
    def attempt(self) -> int:
        """Return the number of the current attempt, 0 before the first."""
        return self.attempts[-1].number if self.attempts else 0


class Body(Record, frozen=True, kw_only=True):
    """An input or a result: JSON text. ``content`` is ``None`` where it lies in the archives."""

    sha256: str
    size: Annotated[int, Meta(ge=0, le=2**53)]
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


class SourceState(Record, frozen=True, kw_only=True):
    """How an event's source stands in one agent.

    ``error`` is what went wrong last, at ``error_at``; it stays when that is over. ``received``
    and ``dead`` count what came and what could not be taken, ``without_id`` what came without an
    id of its own, so that it may run a function twice. ``note`` is what an owner should know.
    """

    state: Literal["connecting", "running", "standby", "failing"]
    since: int
    error: str | None = None
    error_at: int | None = None
    note: str | None = None
    received: int = 0
    dead: int = 0
    without_id: int = 0


class Event(Record, frozen=True, kw_only=True):
    """A named topic of a project. What happens on it is published by the API or comes from a
    ``source``, whose ``settings`` say where from; ``sealed`` is what of them is secret.

    With ``all_projects`` an administrator made it, and its source may tell of other projects.
    ``states`` are of the agents that serve it, by daemon id. A deleted event is kept until its
    source is cleaned up.
    """

    event_id: str
    project_id: str
    user_id: str
    name: str
    description: str = ""
    source: str = PUBLISHED
    settings: dict[str, Any] = {}
    sealed: str | None = None
    all_projects: bool = False
    enabled: bool = True
    states: dict[str, SourceState] = {}
    created_at: int
    updated_at: int
    deleted_at: int | None = None


class Subscription(Record, frozen=True, kw_only=True):
    """A function's interest in an event: calls of its endpoint (``webhook``), the ticks of a timer,
    what happens on an event (``message``), or how another function's runs end (``response``).

    ``event_id`` is that event, or the other function; ``outcome`` which of its ends. ``filter`` is
    a pattern that the data must match (see ``filters``).

    Tick k of an interval timer is due at ``since`` plus k times ``frequency_ms``; those of ``cron``
    as clocks in ``timezone`` show it. A changed timer counts anew. ``misfire`` says what becomes of
    ticks that nobody fired in time. ``since`` is ``None`` in records older than the field: then
    ``created_at`` counts, as for ``updated_at``.
    """

    subscription_id: str
    function_id: str
    project_id: str
    user_id: str
    kind: Literal["webhook", "timer", "message", "response"]
    event_id: str | None = None
    outcome: Literal["any", "success", "failure"] = "any"
    filter: dict[str, Any] | None = None
    frequency_ms: int | None = None
    cron: str | None = None
    timezone: str = "UTC"
    misfire: Literal["skip", "once", "all"] = "once"
    enabled: bool = True
    since: int | None = None
    created_at: int
    updated_at: int | None = None


class Daemon(Record, frozen=True, kw_only=True):
    """A live (or lately live) process of the platform, as ``GET /v1/cluster`` shows it.

    ``epoch`` is that of the lease under which a scheduler acts, ``None`` while it stands by.
    """

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
    epoch: int | None = None
