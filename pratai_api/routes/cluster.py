"""The daemons of the platform, and what its nodes can run."""

from flask import Response

from pratai_api import views
from pratai_api.answers import json_answer
from pratai_api.services import services
from pratai_common.beat import alive
from pratai_common.records import Daemon

COMPONENTS = ("api", "agent", "scheduler", "collector", "driver")


def status() -> Response:
    """Answer which components run: at least one daemon of each, and the store by answering."""
    running = {daemon.daemon_type for daemon in _living()}
    return json_answer(
        {
            "components": {
                name: "running" if name in running else "not running" for name in COMPONENTS
            }
        }
    )


def show() -> Response:
    """Answer all daemons."""
    now = services().clock()
    daemons = services().store.list_daemons()
    return json_answer({"daemons": [views.daemon(each, alive(each, now)) for each in daemons]})


def runtimes() -> Response:
    """Answer the runtimes that functions may use, and on how many living nodes each is ready."""
    nodes = [daemon for daemon in _living() if daemon.daemon_type == "driver"]
    answer = []
    for name in services().runtimes:
        images = sorted({node.runtimes[name] for node in nodes if name in node.runtimes})
        ready = sum(1 for node in nodes if name in node.runtimes)
        answer.append({"name": name, "image": images[0] if images else None, "nodes": ready})
    return json_answer({"runtimes": answer})


def _living() -> list[Daemon]:
    now = services().clock()
    return [daemon for daemon in services().store.list_daemons() if alive(daemon, now)]
