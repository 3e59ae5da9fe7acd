"""The functions of a simulated installation, who follows whose end, and what must follow."""

from typing import Any, Literal

from pratai_common.records import (
    Event,
    Function,
    FunctionStatus,
    Request,
    Status,
    Subscription,
    Version,
)
from pratai_common.store.base import Store
from pratai_common.submit import Cause, request_id

SLOTS, MEMORY, BUILD_MEMORY = 3, 1500, 500
BUILDS = 2
"""Of each node, and of a build; so a node holds one run of f3 beside one of anything else."""

LIMIT = 2
"""Of f2."""

FUNCTIONS = ("f1", "f1", "f2", "f3", "g1", "h1")
"""Those that histories run, f1 more often: most follows from its ends."""

BUILT = "b1"
"""A function whose builds are part of histories, and nothing else of it."""

_SETTINGS: dict[str, dict[str, Any]] = {
    "f1": {"on_failure": "e", "max_age": 5},
    "f2": {"limit": LIMIT, "retries": 1, "on_failure": "e"},
    "f3": {"memory": 900, "retries": 2},
    "g1": {"project_id": "q"},
    "h1": {"project_id": "r", "retries": 1},
    BUILT: {"status": FunctionStatus.BUILDING, "version": None},
}


def fill(store: Store) -> None:
    """Create it all."""
    for function_id, settings in _SETTINGS.items():
        store.create_function(_function(function_id, settings))
        if function_id != BUILT:
            store.create_version(version(function_id, 1))
    store.create_event(
        Event(event_id="e", project_id="p", user_id="u", name="e", created_at=1, updated_at=1)
    )
    for subscription in (
        _subscription("f2", "response", "f1", "success"),
        _subscription("f3", "response", "f1", "failure"),
        _subscription("f3", "response", "f2", "any"),
        _subscription("f3", "message", "e", "any"),
    ):
        store.create_subscription(subscription)


def version(function_id: str, number: int) -> Version:
    """Return a version of a function, as its upload leaves it."""
    return Version(
        function_id=function_id,
        number=number,
        project_id=_SETTINGS[function_id].get("project_id", "p"),
        runtime="python3",
        archive_sha256="0" * 64,
        size=1,
        build_request_id=f"build {number} of {function_id}",
        created_at=1,
    )


def followers(record: Request) -> list[str]:
    """Return the ids of the requests that the end of one has to cause."""
    if not record.status.final or record.kind != "run" or record.project_id != "p":
        return []
    causes = []
    response, success = Cause("response", record.request_id), record.status is Status.SUCCESS
    if record.function_id == "f1" and success:
        causes.append(("f2", response))
    if record.function_id == "f1" and record.status in (Status.ERROR, Status.TIMEOUT):
        causes.append(("f3", response))
    if record.function_id == "f2" and record.status is not Status.CANCELLED:
        causes.append(("f3", response))
    if record.function_id in ("f1", "f2") and record.dead:
        causes.append(("f3", Cause("dead_letter", f"e/{record.request_id}")))
    return [request_id("p", function_id, cause) for function_id, cause in causes]


def _function(function_id: str, settings: dict[str, Any]) -> Function:
    values = {"project_id": "p", "status": FunctionStatus.ACTIVE, "version": 1, **settings}
    return Function(
        function_id=function_id,
        user_id="u",
        name=function_id,
        created_at=1,
        updated_at=1,
        **values,
    )


def _subscription(
    function_id: str,
    kind: Literal["message", "response"],
    topic: str,
    outcome: Literal["any", "success", "failure"],
) -> Subscription:
    return Subscription(
        subscription_id=f"{function_id} to {topic}",
        function_id=function_id,
        project_id="p",
        user_id="u",
        kind=kind,
        event_id=topic,
        outcome=outcome,
        created_at=1,
    )
