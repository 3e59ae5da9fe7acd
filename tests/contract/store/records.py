"""Records beside those of ``tests/records.py``, and what is done with them again and again."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from pratai_common.api_key import ApiKey
from pratai_common.records import (
    Body,
    Daemon,
    Event,
    LogChunk,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store.base import Changed, NewRequest, Page, RequestChange, Store
from tests.records import request

ALL = Page(1000)


def body(content: bytes = b"{}") -> Body:
    return Body(sha256=hashlib.sha256(content).hexdigest(), size=len(content), content=content)


def version(number: int = 1, **values: Any) -> Version:
    given: dict[str, Any] = {
        "function_id": "f1",
        "number": number,
        "project_id": "p",
        "runtime": "python3",
        "archive_sha256": "s",
        "size": 1,
        "build_request_id": f"b{number}",
        "created_at": number,
        **values,
    }
    return Version(**given)


def subscription(number: int = 1, **values: Any) -> Subscription:
    given: dict[str, Any] = {
        "subscription_id": f"s{number}",
        "function_id": "f1",
        "project_id": "p",
        "user_id": "u",
        "kind": "timer",
        "frequency_ms": 1000,
        "created_at": number,
        **values,
    }
    return Subscription(**given)


def event(number: int = 1, **values: Any) -> Event:
    given: dict[str, Any] = {
        "event_id": f"e{number}",
        "project_id": "p",
        "user_id": "u",
        "name": f"event{number}",
        "created_at": number,
        "updated_at": number,
        **values,
    }
    return Event(**given)


def api_key(number: int = 1, **values: Any) -> ApiKey:
    given: dict[str, Any] = {
        "prefix": f"prk_{number}",
        "project_id": "p",
        "user_id": "u",
        "name": f"key{number}",
        "sha256": f"{number:064x}",
        "created_at": number,
        **values,
    }
    return ApiKey(**given)


def daemon(daemon_id: str = "n", **values: Any) -> Daemon:
    given: dict[str, Any] = {
        "daemon_type": "driver",
        "daemon_id": daemon_id,
        "joined_at": 1,
        "seen_at": 2,
        "ip": "127.0.0.1",
        "version": "1",
        **values,
    }
    return Daemon(**given)


def chunk(attempt: int = 1, seq: int = 0, content: bytes = b"x", **values: Any) -> LogChunk:
    given: dict[str, Any] = {"request_id": "r001", "project_id": "p", **values}
    return LogChunk(attempt=attempt, seq=seq, content=content, **given)


def create(store: Store, *requests: Request) -> None:
    """Record requests that nothing came in with."""
    store.create_requests([NewRequest(each, None) for each in requests])


def set_to(request_id: str, **values: Any) -> RequestChange:
    """Return the change that sets fields of a request."""
    return RequestChange(request_id, lambda old: Changed(replace(old, **values)))


def settled(
    status: Status = Status.SUCCESS, result: bytes = b"[1]"
) -> Callable[[Request], Changed | None]:
    """Return the change that ends a request, unless it has ended."""

    def apply(old: Request) -> Changed | None:
        return None if old.status.final else Changed(replace(old, status=status), body(result))

    return apply


def ids(requests: Iterable[Request]) -> list[str]:
    return [each.request_id for each in requests]


def event_ids(events: Iterable[Event]) -> list[str]:
    return [each.event_id for each in events]


def subscription_ids(subscriptions: Iterable[Subscription]) -> list[str]:
    return [each.subscription_id for each in subscriptions]


def walk(listed: Callable[[Page], list[str]], page: Page) -> list[str]:
    """Go through a list page by page, as a client does, until one is not full."""
    seen: list[str] = []
    while found := listed(page):
        seen += found
        if len(found) < page.limit:
            break
        page = page._replace(marker=found[-1])
    return seen


def numbered(*numbers: int, **values: Any) -> list[Request]:
    return [request(number, **values) for number in numbers]
