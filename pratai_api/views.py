"""Records as clients see them: these shapes are the public interface, and its documentation."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pratai_common import records
from pratai_common.clock import iso

Time = Annotated[str, Meta(description="ISO 8601, UTC, milliseconds",
                           extra_json_schema={"format": "date-time"})]  # fmt: skip
Milliseconds = Annotated[float, Meta(ge=0)]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what goes out."""


class Error(View, frozen=True, kw_only=True):
    """What went wrong: ``reason`` is a word for programs, ``message`` is for people."""

    code: int
    title: str
    message: str
    reason: str
    http_request_id: str


class Failure(View, frozen=True, kw_only=True):
    """The one shape of everything that is refused or fails."""

    error: Error


class Kept(View, frozen=True, kw_only=True):
    """Bytes that are kept in the archives, where ``sha256`` names them."""

    size: int
    sha256: str


class SecretUse(View, frozen=True, kw_only=True):
    """A secret that a function needs, and where its code finds it."""

    name: str
    file: str | None
    environment: str | None


class Trust(View, frozen=True, kw_only=True):
    """In whose name, and in which roles, a function acts."""

    user_id: str
    roles: list[str]


class Function(View, frozen=True, kw_only=True):
    """A function and its settings. ``version`` is the one that serves."""

    function_id: str
    project_id: str
    tenant_id: str
    user_id: str
    name: str
    description: str
    type: str
    event: str
    public: bool
    shared_with: list[str]
    auth: str
    rate_limit: int | None
    endpoint: str | None
    runtime: str
    memory: int
    cpus: float
    timeout: int
    limit: int | None
    isolation: str
    spares: int | None
    network: str
    environment: dict[str, str]
    secrets: list[SecretUse]
    trust: Trust | None
    retries: int
    max_age: int | None
    on_failure: str | None
    enabled: bool
    status: records.FunctionStatus
    build_error: str | None
    version: int | None
    created_at: Time
    updated_at: Time
    logs_endpoint: str


class RunningFunction(View, frozen=True, kw_only=True):
    """A function that runs, and the requests that do."""

    function_id: str
    name: str
    running: int
    request_ids: list[str]


class Version(View, frozen=True, kw_only=True):
    """One upload of a function's code. ``sha256`` and ``size`` (bytes) are the zip's."""

    version: int
    function_id: str
    project_id: str
    tenant_id: str
    runtime: str
    sha256: str
    size: int
    status: records.FunctionStatus
    build_error: str | None
    created_at: Time


class Attempt(View, frozen=True, kw_only=True):
    """One try to run a request."""

    attempt: int
    node: str
    started_at: Time
    finished_at: Time | None
    reason: str | None
    message: str | None


class ResponseHead(View, frozen=True, kw_only=True):
    """How what a function returned is answered by HTTP. ``encoding`` says what ``result`` stands
    for: itself, or the ``text`` or, in ``base64``, the bytes of the body.
    """

    status: int
    headers: dict[str, str]
    encoding: Literal["json", "text", "base64"]


class Request(View, frozen=True, kw_only=True):
    """How the run that an event asked for stands. ``result`` is what ``main`` returned, and
    ``payload`` what came in, where they were asked for. ``children`` are the first requests that
    its end caused, ``event`` has the attributes of its event, ``timing`` how many milliseconds
    after its acceptance it was at each station; these are not in lists.
    """

    request_id: str
    function_id: str
    version: int | None
    project_id: str
    tenant_id: str
    user_id: str
    source: str
    parent_id: str | None
    root_id: str
    depth: int
    children: list[str] | UnsetType = UNSET
    event: dict[str, Any] | UnsetType | None = UNSET
    replay_of: str | None
    status: records.Status
    reason: str | None
    message: str | None
    dead: bool
    result: msgspec.Raw | UnsetType | None = UNSET
    response: ResponseHead | None = None
    payload: msgspec.Raw | UnsetType | None = UNSET
    attempts: list[Attempt]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    expires_at: Time
    next_run_at: Time | None
    queue_ms: Milliseconds | None
    init_ms: Milliseconds | None
    run_ms: Milliseconds | None
    cold: bool | None
    isolation: str | None
    node: str | None
    peak_memory: int | None
    logs_endpoint: str
    timing: dict[str, float] | UnsetType | None = UNSET


class Accepted(View, frozen=True, kw_only=True):
    """The id under which an event's run will be found."""

    request_id: str


class Stopped(View, frozen=True, kw_only=True):
    """The requests that were told to end."""

    request_ids: list[str]


class Functions(View, frozen=True, kw_only=True):
    """A page of functions."""

    functions: list[Function]
    next: str | None


class RunningFunctions(View, frozen=True, kw_only=True):
    """The functions that run."""

    functions: list[RunningFunction]
    next: str | None


class Versions(View, frozen=True, kw_only=True):
    """A function's versions."""

    versions: list[Version]
    next: str | None


class Requests(View, frozen=True, kw_only=True):
    """A page of requests, without their bodies."""

    requests: list[Request]
    next: str | None


def time(milliseconds: int) -> str:
    """Return a time as clients see it."""
    return iso(milliseconds) or ""


def function(record: records.Function) -> Function:
    """Return a function."""
    endpoint = record.endpoint_token if record.public else None
    return Function(
        function_id=record.function_id,
        project_id=record.project_id,
        tenant_id=record.project_id,
        user_id=record.user_id,
        name=record.name,
        description=record.description,
        type=record.type,
        event=record.event,
        public=record.public,
        shared_with=list(record.shared_with),
        auth=record.auth,
        rate_limit=record.rate_limit,
        endpoint=None if endpoint is None else f"/v1/hooks/{endpoint}",
        runtime=record.runtime,
        memory=record.memory,
        cpus=record.cpus,
        timeout=record.timeout,
        limit=record.limit,
        isolation=record.isolation,
        spares=record.spares,
        network=record.network,
        environment=record.environment,
        secrets=[SecretUse(**msgspec.structs.asdict(each)) for each in record.secrets],
        trust=_trust(record.trust),
        retries=record.retries,
        max_age=record.max_age,
        on_failure=record.on_failure,
        enabled=record.enabled,
        status=record.status,
        build_error=record.build_error,
        version=record.version,
        created_at=time(record.created_at),
        updated_at=time(record.updated_at),
        logs_endpoint=f"/v1/functions/{record.function_id}/build-log",
    )


def _trust(record: records.Trust | None) -> Trust | None:
    """Return a right that was asked for; one that serves for secrets alone is nobody's affair."""
    if record is None or not record.asked:
        return None
    return Trust(user_id=record.user_id, roles=list(record.roles))


def version(record: records.Version) -> Version:
    """Return a version of a function."""
    return Version(
        version=record.number,
        function_id=record.function_id,
        project_id=record.project_id,
        tenant_id=record.project_id,
        runtime=record.runtime,
        sha256=record.archive_sha256,
        size=record.size,
        status=record.status,
        build_error=record.build_error,
        created_at=time(record.created_at),
    )


def request(
    record: records.Request,
    result: msgspec.Raw | UnsetType | None = UNSET,
    payload: msgspec.Raw | UnsetType | None = UNSET,
) -> Request:
    """Return a request, with its result and payload as JSON text where they are to be shown."""
    return Request(
        request_id=record.request_id,
        function_id=record.function_id,
        version=record.version,
        project_id=record.project_id,
        tenant_id=record.project_id,
        user_id=record.user_id,
        source=record.source,
        parent_id=record.parent_id,
        root_id=record.root_id or record.request_id,
        depth=record.depth,
        replay_of=record.replay_of,
        status=record.status,
        reason=record.reason,
        message=record.message,
        dead=record.dead,
        attempts=[_attempt(attempt) for attempt in record.attempts],
        created_at=time(record.created_at),
        started_at=iso(record.started_at),
        finished_at=iso(record.finished_at),
        expires_at=time(record.expires_at),
        next_run_at=None if record.status.final else iso(record.next_run_at),
        queue_ms=record.queue_ms,
        init_ms=record.init_ms,
        run_ms=record.run_ms,
        cold=record.cold,
        isolation=record.isolation,
        node=record.node,
        peak_memory=record.peak_memory,
        logs_endpoint=f"/v1/requests/{record.request_id}/logs",
        result=result,
        response=_response(record.response),
        payload=payload,
    )


def timing(record: records.Timing | None) -> dict[str, float] | None:
    """Return how many milliseconds after its acceptance a request was at each station."""
    if record is None:
        return None
    times = msgspec.structs.asdict(record)
    return {
        station: (at - record.accepted) / 1000 for station, at in times.items() if at is not None
    }


def _response(head: records.ResponseHead | None) -> ResponseHead | None:
    return None if head is None else ResponseHead(**msgspec.structs.asdict(head))


def _attempt(record: records.Attempt) -> Attempt:
    return Attempt(
        attempt=record.number,
        node=record.node,
        started_at=time(record.started_at),
        finished_at=iso(record.finished_at),
        reason=record.reason,
        message=record.message,
    )
