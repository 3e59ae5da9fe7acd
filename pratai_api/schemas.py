"""What clients may send, declared once: it validates and it documents."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pratai_common import limits

RESERVED_NAMES = frozenset({"running"})
MAX_PAGE = 1000
DEFAULT_PAGE = 100

# At its end "nothing follows" and not "$", which lets a newline pass here though not in JavaScript.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}(?![\s\S])")]
Memory = Annotated[int, Meta(ge=limits.MIN_MEMORY_MB, le=limits.MAX_MEMORY_MB)]
Cpus = Annotated[float, Meta(ge=0.1, le=64)]
Timeout = Annotated[int, Meta(ge=1, le=limits.MAX_TIMEOUT_SECONDS)]
Frequency = Annotated[float, Meta(ge=1 / 60, le=60 * 24 * 366)]


class FunctionCreate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ``metadata`` of a new function. ``memory`` in MB, ``timeout`` in seconds,
    ``frequency`` in minutes.
    """

    name: Name
    description: Annotated[str, Meta(max_length=1024)] = ""
    type: Literal["async"] = "async"
    event: Literal["webhook", "timer"] = "webhook"
    frequency: Frequency | None = None
    runtime: str = "python3"
    memory: Memory = limits.DEFAULT_MEMORY_MB
    cpus: Cpus = 1.0
    timeout: Timeout = limits.DEFAULT_TIMEOUT_SECONDS
    network: Literal["bridge", "none"] = "bridge"


class Event(msgspec.Struct, kw_only=True):
    """The body that calls a function. The payload is checked to be JSON and kept as it came."""

    payload: msgspec.Raw | UnsetType = UNSET


class PageQuery(msgspec.Struct, kw_only=True):
    """Which part of a list: ``limit`` items behind the one named ``marker``."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    marker: str | None = None


class FunctionsQuery(PageQuery, kw_only=True):
    """Which functions a list holds."""

    name: str | None = None


class RequestsQuery(PageQuery, kw_only=True):
    """Which requests a list holds."""

    function_id: str | None = None
    status: (
        Literal["scheduled", "queued", "running", "success", "error", "timeout", "cancelled"] | None
    ) = None


class RequestQuery(msgspec.Struct, kw_only=True):
    """What a request is shown with."""

    include: Literal["payload"] | None = None
