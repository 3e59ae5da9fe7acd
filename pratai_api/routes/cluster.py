"""The daemons of the platform, and what its nodes can run."""

from flask import Response

from pratai_api import answers, schemas, views
from pratai_api.answers import json_answer
from pratai_api.arguments import query
from pratai_api.errors import ApiError
from pratai_api.liveness import alive, living
from pratai_api.services import services
from pratai_common.records import Daemon

COMPONENTS = ("api", "agent", "scheduler", "collector", "driver", "store")


def status() -> Response:
    """Answer which components run: at least one daemon of each, and the store, which takes writes.

    One that cannot be read is a 503, ``store_unavailable``: nothing is known of the others then.
    """
    running = {daemon.daemon_type for daemon in living()}
    if services().witness.store_runs(services().clock()):
        running.add("store")
    components = {name: "running" if name in running else "not running" for name in COMPONENTS}
    return json_answer(views.Components(components=components))


def show() -> Response:
    """Answer all daemons."""
    asked = query(schemas.PageQuery)
    daemons = services().store.list_daemons()
    part, following = answers.part(daemons, asked, lambda each: each.daemon_id)
    shown = [views.daemon(each, alive(each)) for each in part]
    return json_answer(views.Daemons(daemons=shown, next=following))


def runtimes() -> Response:
    """Answer the runtimes that functions may use, and on how many living nodes each is ready."""
    asked, nodes = query(schemas.PageQuery), living("driver")
    part, following = answers.part(services().runtimes, asked, str)
    shown = [_runtime(name, nodes) for name in part]
    return json_answer(views.Runtimes(runtimes=shown, next=following))


def show_runtime(runtime: str) -> Response:
    """Answer one runtime."""
    if runtime not in services().runtimes:
        raise ApiError(404, "runtime_not_found", f"there is no runtime {runtime}")
    return json_answer(_runtime(runtime, living("driver")))


def _runtime(name: str, nodes: list[Daemon]) -> views.Runtime:
    images = sorted({node.runtimes[name] for node in nodes if name in node.runtimes})
    ready = sum(1 for node in nodes if name in node.runtimes)
    return views.Runtime(name=name, image=images[0] if images else None, nodes=ready)
