"""The daemons of the platform, and what its nodes can run."""

from collections import Counter

from flask import Response

from pratai_api import answers, cluster_views, schemas
from pratai_api.answers import json_answer
from pratai_api.arguments import query
from pratai_api.errors import ApiError
from pratai_api.liveness import living, living_of
from pratai_api.services import services
from pratai_common.records import Daemon

COMPONENTS = ("api", "agent", "scheduler", "collector", "driver", "store")


def status() -> Response:
    """Answer which components run: at least one daemon of each, and the store, which takes writes.

    One that cannot be read is a 503, ``store_unavailable``: nothing is known of the others then.
    """
    daemons = living()
    counts = Counter(daemon.daemon_type for daemon in daemons)
    running = set(counts)
    if services().witness.store_runs(services().clock()):
        running.add("store")
    components = {name: "running" if name in running else "not running" for name in COMPONENTS}
    acting = 0 if _acting(daemons) is None else 1
    return json_answer(
        cluster_views.Components(components=components, daemons=counts, active_schedulers=acting)
    )


def show() -> Response:
    """Answer all daemons."""
    asked = query(schemas.PageQuery)
    daemons = services().store.list_daemons()
    alive = living_of(daemons)
    acting = _acting(alive)
    part, following = answers.part(daemons, asked, lambda each: each.daemon_id)
    shown = [cluster_views.daemon(each, each in alive, _role(each, acting)) for each in part]
    return json_answer(cluster_views.Daemons(daemons=shown, next=following))


def _acting(living: list[Daemon]) -> Daemon | None:
    """Return the scheduler that acts: one that was killed says so, too, until it is missed."""
    acting = [each for each in living if each.epoch is not None]
    return max(acting, key=lambda each: each.epoch or 0, default=None)


def _role(daemon: Daemon, acting: Daemon | None) -> str | None:
    if daemon.daemon_type != "scheduler":
        return None
    return "active" if daemon == acting else "standby"


def runtimes() -> Response:
    """Answer the runtimes that functions may use, and on how many living nodes each is ready."""
    asked, nodes = query(schemas.PageQuery), living("driver")
    part, following = answers.part(services().runtimes, asked, str)
    shown = [_runtime(name, nodes) for name in part]
    return json_answer(cluster_views.Runtimes(runtimes=shown, next=following))


def show_runtime(runtime: str) -> Response:
    """Answer one runtime."""
    if runtime not in services().runtimes:
        raise ApiError(404, "runtime_not_found", f"there is no runtime {runtime}")
    return json_answer(_runtime(runtime, living("driver")))


def _runtime(name: str, nodes: list[Daemon]) -> cluster_views.Runtime:
    images = sorted({node.runtimes[name] for node in nodes if name in node.runtimes})
    ready = sum(1 for node in nodes if name in node.runtimes)
    return cluster_views.Runtime(name=name, image=images[0] if images else None, nodes=ready)
