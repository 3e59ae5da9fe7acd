"""What clients may send, declared once: it validates and it documents."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pratai_common import cron, limits
from pratai_common.records import FunctionStatus, Isolation, Status

RESERVED_NAMES = frozenset({"running"})
MAX_PAGE = 1000
DEFAULT_PAGE = 100
MIN_AGE_SECONDS = 60
_MAX_FREQUENCY_MINUTES = 60 * 24 * 366
_LONGEST_WAIT = 10**9  # what is longer than a minute is a minute, but infinity is a mistake

# At its end "nothing follows" and not "$", which lets a newline pass here though not in JavaScript.
_END = r"(?![\s\S])"
Name = Annotated[str, Meta(pattern=rf"^[A-Za-z][A-Za-z0-9_-]{{0,62}}{_END}")]
Description = Annotated[str, Meta(max_length=1024)]
Memory = Annotated[int, Meta(ge=limits.MIN_MEMORY_MB, le=limits.MAX_MEMORY_MB)]
Cpus = Annotated[float, Meta(ge=0.1, le=64)]
Timeout = Annotated[int, Meta(ge=1, le=limits.MAX_TIMEOUT_SECONDS)]
Limit = Annotated[int, Meta(ge=1, le=10_000)]
Retries = Annotated[int, Meta(ge=0, le=limits.MAX_RETRIES)]
Frequency = Annotated[float, Meta(ge=1 / 60, le=_MAX_FREQUENCY_MINUTES)]
VariableName = Annotated[str, Meta(pattern=rf"^[A-Za-z_][A-Za-z0-9_]{{0,127}}{_END}")]
VariableValue = Annotated[str, Meta(pattern=rf"^[^\x00]*{_END}", max_length=4096)]
Environment = dict[VariableName, VariableValue]
SecretName = Annotated[str, Meta(pattern=rf"^[A-Za-z][A-Za-z0-9_.-]{{0,62}}{_END}")]
SecretFile = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_][A-Za-z0-9_.-]{{0,126}}{_END}")]
SecretValue = Annotated[str, Meta(min_length=1, max_length=2 * limits.MAX_SECRET_BYTES)]
Role = Annotated[str, Meta(min_length=1, max_length=255)]
Roles = Annotated[list[Role], Meta(min_length=1, max_length=16)]
Cron = Annotated[str, Meta(min_length=1, max_length=cron.MAX_CHARACTERS)]
Timezone = Annotated[str, Meta(min_length=1, max_length=64)]
Misfire = Literal["skip", "once", "all"]
Outcome = Literal["any", "success", "failure"]
Filter = dict[str, Any]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Target = Annotated[str, Meta(pattern=rf"^[^:]{{1,64}}(:(success|failure))?{_END}")]
Targets = Annotated[list[Target], Meta(max_length=limits.MAX_SUBSCRIPTIONS)]
MaxAge = Annotated[int, Meta(ge=MIN_AGE_SECONDS, le=limits.MAX_AGE_SECONDS)]
Moment = Annotated[datetime, Meta(tz=True)]
Auth = Literal["none", "token", "github", "standard"]
# As headers can carry it, whose ends are trimmed.
Secret = Annotated[str, Meta(pattern=rf"^[!-~][ -~]*[!-~]{_END}", min_length=8, max_length=256)]
Projects = Annotated[list[Id], Meta(max_length=limits.MAX_SHARED_WITH)]
KeyName = Annotated[str, Meta(min_length=1, max_length=255)]
RateLimit = Annotated[int, Meta(ge=1, le=60_000)]
Type = Literal["async", "wait_for_response"]
Network = Literal["bridge", "none"]
Spares = Annotated[int, Meta(ge=0, le=limits.MAX_SPARES)]
Marker = Annotated[str, Meta(min_length=1, max_length=64)]
Wait = Annotated[float, Meta(ge=0, le=_LONGEST_WAIT)]


class SecretUse(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A secret that a function needs: in a ``file`` of ``/run/secrets``, or in a variable of its
    ``environment``; where neither is named, in a file of the secret's name.
    """

    name: SecretName
    file: SecretFile | None = None
    environment: VariableName | None = None


class ApplicationCredential(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An application credential of Keystone."""

    id: Id
    secret: Annotated[str, Meta(min_length=1, max_length=255)]

    def __repr__(self) -> str:
        return f"ApplicationCredential(id={self.id!r})"


class TrustWanted(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The right to act for whoever asks for it: in these roles of theirs, or by an application
    credential of theirs, whose secret is never shown.
    """

    roles: Roles | UnsetType = UNSET
    application_credential: ApplicationCredential | UnsetType = UNSET


Secrets = Annotated[list[SecretUse], Meta(max_length=limits.MAX_SECRETS)]


class SecretPut(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A secret; ``value`` is text, or bytes in ``base64``. In place of the one of its name."""

    name: SecretName
    value: SecretValue
    encoding: Literal["text", "base64"] = "text"

    def __repr__(self) -> str:
        return f"SecretPut(name={self.name!r})"


class FunctionCreate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ``metadata`` of a new function. ``memory`` in MB, ``timeout`` and ``max_age`` in seconds,
    ``frequency`` in minutes. Which ``isolation`` it has where none is given is the operator's
    choice.

    ``subscribe_to`` are ids of events, or of functions where ``event`` is ``response``: then each
    may end in ``:success`` or ``:failure``.
    """

    name: Name
    description: Description = ""
    type: Type = "async"
    event: Literal["webhook", "timer", "message", "response"] = "webhook"
    subscribe_to: Targets = []
    filter: Filter | None = None
    frequency: Frequency | None = None
    cron: Cron | None = None
    timezone: Timezone = "UTC"
    misfire: Misfire = "once"
    runtime: str = "python3"
    memory: Memory = limits.DEFAULT_MEMORY_MB
    cpus: Cpus = 1.0
    timeout: Timeout = limits.DEFAULT_TIMEOUT_SECONDS
    isolation: Isolation | UnsetType = UNSET
    spares: Spares | None = None
    network: Network = "bridge"
    public: bool = False
    shared_with: Projects = []
    auth: Auth = "none"
    auth_secret: Secret | None = None
    rate_limit: RateLimit | None = None
    limit: Limit | None = None
    environment: Environment = {}
    secrets: Secrets = []
    trust: TrustWanted | None = None
    retries: Retries = 0
    max_age: MaxAge | None = None
    on_failure: Id | None = None
    enabled: bool = True


class FunctionSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may change of a function; what is not named stays. ``rotate_endpoint`` replaces the
    public endpoint's address.
    """

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    memory: Memory | UnsetType = UNSET
    cpus: Cpus | UnsetType = UNSET
    timeout: Timeout | UnsetType = UNSET
    isolation: Isolation | UnsetType = UNSET
    spares: Spares | UnsetType | None = UNSET
    network: Network | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    shared_with: Projects | UnsetType = UNSET
    auth: Auth | UnsetType = UNSET
    auth_secret: Secret | UnsetType | None = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    limit: Limit | UnsetType | None = UNSET
    environment: Environment | UnsetType = UNSET
    secrets: Secrets | UnsetType = UNSET
    trust: TrustWanted | UnsetType | None = UNSET
    retries: Retries | UnsetType = UNSET
    max_age: MaxAge | UnsetType | None = UNSET
    on_failure: Id | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    rotate_endpoint: bool = False


class FunctionUpdate(FunctionSettings, forbid_unknown_fields=True, kw_only=True):
    """Settings, or without a new zip ``version``: one that was built, to serve from now on."""

    version: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


class Call(msgspec.Struct, kw_only=True):
    """The body that calls a function. The payload is checked to be JSON and kept as it came. An
    asynchronous function runs at ``not_before`` at the earliest.
    """

    payload: msgspec.Raw
    not_before: Moment | None = None


class KeyCreate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new API key; ``name`` is for people. With a ``function_id`` it is good for calls of that
    function, else of all that the project may call; until ``expires_at``, if it is given.
    """

    name: KeyName
    function_id: Id | None = None
    expires_at: Moment | None = None


class QuotaQuery(msgspec.Struct, kw_only=True):
    """Whose quotas are shown: the caller's project's, or another's to an administrator."""

    project_id: Id | UnsetType = UNSET


class PageQuery(msgspec.Struct, kw_only=True):
    """Which part of a list: ``limit`` items behind the one named ``marker``."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    marker: Marker | UnsetType = UNSET


class FunctionsQuery(PageQuery, kw_only=True):
    """Which functions a list holds, and in which order; ``all_projects`` is for administrators."""

    all_projects: bool = False

    sort: Literal["created_at:desc", "created_at:asc", "name:asc", "name:desc"] = "created_at:desc"
    name: str | UnsetType = UNSET
    status: FunctionStatus | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    event: str | UnsetType = UNSET
    runtime: str | UnsetType = UNSET


class RequestsQuery(PageQuery, kw_only=True):
    """Which requests a list holds, and in which order. ``dead`` ones are dead letters;
    ``all_projects`` is for administrators.
    """

    all_projects: bool = False

    sort: Literal["created_at:desc", "created_at:asc"] = "created_at:desc"
    function_id: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    source: str | UnsetType = UNSET
    dead: bool | UnsetType = UNSET
    parent_id: str | UnsetType = UNSET
    root_id: str | UnsetType = UNSET


class RequestQuery(msgspec.Struct, kw_only=True):
    """What a request is shown with."""

    include: Literal["payload"] | UnsetType = UNSET


class CallQuery(msgspec.Struct, kw_only=True):
    """How long the caller waits for the result, in seconds; never longer than a minute."""

    wait: Wait | UnsetType = UNSET


class LogsQuery(msgspec.Struct, kw_only=True):
    """Whether to go on answering what is printed until the end."""

    follow: bool = False


class SignedQuery(msgspec.Struct, kw_only=True):
    """What makes an address valid: until when, in seconds since 1970, and by whose word."""

    expires: Annotated[int, Meta(ge=0, le=253_402_300_799)]
    signature: Annotated[str, Meta(min_length=1, max_length=128)]


class SecretsQuery(SignedQuery, kw_only=True):
    """The function whose needs a node asks for, and what makes the address valid."""

    function_id: Id


class Upload(msgspec.Struct):
    """A form with a zip and, as JSON in the field ``metadata``, this shape."""

    metadata: Any
    metadata_required: bool


class Anything(msgspec.Struct):
    """Any body, of any content type; ``content`` is what the document says of some."""

    content: ClassVar[dict[str, Any]] = {
        "application/json": {},
        "application/x-www-form-urlencoded": {"type": "object"},
        "text/plain": {"type": "string"},
        "application/octet-stream": {},
    }
