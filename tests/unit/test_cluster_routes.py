"""``GET /v1/status`` and ``GET /v1/cluster``: how many there are, and which scheduler acts."""

from typing import Any

from pratai_common.clock import now_ms
from pratai_common.records import Daemon
from tests.unit.api_world import ApiWorld


def put(world: ApiWorld, kind: str, name: str, age_ms: int = 0, **values: Any) -> None:
    seen_at = now_ms() - age_ms
    world.store.put_daemon(
        Daemon(
            daemon_type=kind,
            daemon_id=name,
            joined_at=1,
            seen_at=seen_at,
            ip="",
            version="",
            **values,
        )
    )


def status(world: ApiWorld) -> tuple[str, int, int]:
    """Return the scheduler's component, how many run, and how many act."""
    shown = world.api.get("/v1/status").get_json()
    count = shown["daemons"].get("scheduler", 0)
    return shown["components"]["scheduler"], count, shown["active_schedulers"]


def roles(world: ApiWorld) -> dict[str, tuple[str, str | None]]:
    shown = world.api.get("/v1/cluster").get_json()["daemons"]
    return {each["daemon_id"]: (each["status"], each["role"]) for each in shown}


def test_the_scheduler_that_acts_is_shown_as_such(api_world: ApiWorld) -> None:
    assert status(api_world) == ("not running", 0, 0)
    put(api_world, "scheduler", "a", epoch=4)
    put(api_world, "scheduler", "b")
    put(api_world, "collector", "c")
    put(api_world, "collector", "d")
    assert status(api_world) == ("running", 2, 1)
    assert api_world.api.get("/v1/status").get_json()["daemons"] == {
        "scheduler": 2,
        "collector": 2,
    }
    assert roles(api_world) == {
        "a": ("running", "active"),
        "b": ("running", "standby"),
        "c": ("running", None),
        "d": ("running", None),
    }


def test_one_that_was_killed_while_it_acted_is_not_shown_beside_the_next(
    api_world: ApiWorld,
) -> None:
    put(api_world, "scheduler", "a", age_ms=2_000, epoch=4)
    put(api_world, "scheduler", "b", epoch=5)
    assert status(api_world) == ("running", 2, 1)
    assert roles(api_world) == {"a": ("running", "standby"), "b": ("running", "active")}


def test_nobody_acts_after_it_until_the_next_one_does(api_world: ApiWorld) -> None:
    put(api_world, "scheduler", "a", age_ms=60_000, epoch=4)
    put(api_world, "scheduler", "b")
    assert status(api_world) == ("running", 1, 0)
    assert roles(api_world) == {"a": ("not running", "standby"), "b": ("running", "standby")}
