"""What the service tells of things, as objects: a class a kind, its fields as typed attributes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

Json = dict[str, Any]


class Resource:
    """What was told of one thing when it was asked for: it neither changes nor is written back.

    Fields are attributes, by the names that the API documents. One that this version of the client
    does not know is an attribute all the same. Times are ``datetime`` with a zone, durations say
    their unit in their name (``run_ms``), memory of a function is in MB.
    """

    _parts: ClassVar[Mapping[str, type["Resource"]]] = {}
    """Fields whose items are resources, too."""

    def __init__(self, told: Json) -> None:
        self._told = told
        vars(self).update({name: self._field(name, value) for name, value in told.items()})

    def to_dict(self) -> Json:
        """Return the fields as the service told them: JSON, times as text."""
        return dict(self._told)

    def _field(self, name: str, value: Any) -> Any:
        part = self._parts.get(name)
        if part is not None:
            return [part(each) for each in value]
        if name.endswith("_at") and isinstance(value, str):
            return datetime.fromisoformat(value)
        return value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        name, value = next(iter(self._told.items()), ("", ""))
        return f"<{type(self).__name__} {name}={value!r}>"


class Function(Resource):
    """A function and its settings. ``version`` is the one that serves, ``None`` before the first is
    built; ``timeout`` and ``max_age`` are in seconds, ``endpoint`` is the path of a public one.
    """

    function_id: str
    project_id: str
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
    secrets: list[Json]
    trust: Json | None
    retries: int
    max_age: int | None
    on_failure: str | None
    enabled: bool
    status: str
    build_error: str | None
    version: int | None
    created_at: datetime
    updated_at: datetime
    logs_endpoint: str


class RunningFunction(Resource):
    """A function that runs, and its requests that do."""

    function_id: str
    name: str
    running: int
    request_ids: list[str]


class Version(Resource):
    """One upload of a function's code; ``sha256`` and ``size`` (bytes) are the zip's."""

    version: int
    function_id: str
    project_id: str
    runtime: str
    sha256: str
    size: int
    status: str
    build_error: str | None
    created_at: datetime


class Attempt(Resource):
    """One try to run a request."""

    attempt: int
    node: str
    started_at: datetime
    finished_at: datetime | None
    reason: str | None
    message: str | None


class Request(Resource):
    """The run that an event asked for: how it stands, how it ended.

    ``result`` is what ``main`` returned and ``payload`` what came in, where they were asked for;
    neither they nor ``children``, ``event`` and ``timing`` are in lists. ``peak_memory`` is in
    bytes.
    """

    _parts = {"attempts": Attempt}

    request_id: str
    function_id: str
    version: int | None
    project_id: str
    user_id: str
    source: str
    parent_id: str | None
    root_id: str
    depth: int
    children: list[str] | None = None
    event: Json | None = None
    replay_of: str | None
    status: str
    reason: str | None
    message: str | None
    dead: bool
    result: Any = None
    response: Json | None = None
    payload: Any = None
    attempts: list[Attempt]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    next_run_at: datetime | None
    queue_ms: float | None
    init_ms: float | None
    run_ms: float | None
    cold: bool | None
    isolation: str | None
    node: str | None
    peak_memory: int | None
    logs_endpoint: str
    timing: dict[str, float] | None = None

    @property
    def ended(self) -> bool:
        """Whether its status is a final one."""
        return self.status in FINAL


FINAL = frozenset({"success", "error", "timeout", "cancelled"})
"""The statuses that a request ends with."""


class Event(Resource):
    """A named topic, and where what happens on it comes from; ``source_state`` is by agent."""

    event_id: str
    project_id: str
    user_id: str
    name: str
    description: str
    source: str
    settings: Json
    has_password: bool
    all_projects: bool
    enabled: bool
    status: str
    source_state: dict[str, Json]
    created_at: datetime
    updated_at: datetime


class Occurrence(Resource):
    """One thing that was published, by its id as CloudEvents have it, and what it caused."""

    id: str
    request_ids: list[str]


class Published(Resource):
    """The requests that a publication caused, all together and by what was published."""

    _parts = {"published": Occurrence}

    event_id: str
    request_ids: list[str]
    published: list[Occurrence]


class Subscription(Resource):
    """A function's interest in an event; ``frequency`` is in minutes. What its kind does not have
    is ``None``.
    """

    subscription_id: str
    function_id: str
    project_id: str
    kind: str
    event_id: str | None
    outcome: str | None
    filter: Json | None
    frequency: float | None
    cron: str | None
    timezone: str | None
    misfire: str | None
    enabled: bool
    created_at: datetime
    updated_at: datetime


class Secret(Resource):
    """A secret, without its value."""

    name: str
    project_id: str
    created_at: datetime


class ApiKey(Resource):
    """An API key by the ``prefix`` that it begins with; ``key``, all of it, is told once, to who
    makes it.
    """

    prefix: str
    project_id: str
    user_id: str
    name: str
    function_id: str | None
    expires_at: datetime | None
    created_at: datetime
    key: str | None = None


class Quota(Resource):
    """How much of something a project may have, ``None`` for as much as it likes, and how much it
    has; of what is counted in MB ``unit`` says so.
    """

    resource: str
    limit: int | None
    used: int
    unit: str | None


class Runtime(Resource):
    """What functions can run on, and on how many living nodes it is ready."""

    name: str
    image: str | None
    nodes: int


class Daemon(Resource):
    """A process of the platform; ``role`` is a scheduler's, ``active`` or ``standby``."""

    daemon_type: str
    daemon_id: str
    joined_at: datetime
    status: str
    role: str | None
    ip: str
    version: str
    pid: int | None
    dropped_messages: int
