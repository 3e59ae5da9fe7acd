"""API keys as clients see them; see ``views``."""

from typing import Any

from pratai_api.views import Time, View, time
from pratai_common.api_key import ApiKey as Record
from pratai_common.clock import iso


class ApiKey(View, frozen=True, kw_only=True):
    """An API key, by the ``prefix`` that it begins with: the rest is known to who has it alone.
    With a ``function_id`` it is good for calls of that function.
    """

    prefix: str
    project_id: str
    tenant_id: str
    user_id: str
    name: str
    function_id: str | None
    expires_at: Time | None
    created_at: Time


class NewApiKey(ApiKey, frozen=True, kw_only=True):
    """An API key, with the whole ``key``, which is shown this once."""

    key: str


class ApiKeys(View, frozen=True, kw_only=True):
    """A page of API keys."""

    keys: list[ApiKey]
    next: str | None


def api_key(record: Record) -> ApiKey:
    """Return an API key."""
    return ApiKey(**_fields(record))


def new_api_key(record: Record, key: str) -> NewApiKey:
    """Return an API key with what makes it one."""
    return NewApiKey(**_fields(record), key=key)


def _fields(record: Record) -> dict[str, Any]:
    return {
        "prefix": record.prefix,
        "project_id": record.project_id,
        "tenant_id": record.project_id,
        "user_id": record.user_id,
        "name": record.name,
        "function_id": record.function_id,
        "expires_at": iso(record.expires_at),
        "created_at": time(record.created_at),
    }
