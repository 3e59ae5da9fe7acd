"""Every route of the API on one screen; the handlers are in a module a noun."""

from collections.abc import Callable

from flask import Flask, Response

from pratai_api.routes import cluster, functions, requests, root

ROUTES: list[tuple[str, str, Callable[..., Response]]] = [
    ("GET", "/", root.versions),
    ("GET", "/healthcheck", root.healthcheck),
    ("GET", "/v1/status", cluster.status),
    ("GET", "/v1/cluster", cluster.show),
    ("GET", "/v1/runtimes", cluster.runtimes),
    ("GET", "/v1/functions", functions.index),
    ("POST", "/v1/functions", functions.create),
    ("GET", "/v1/functions/<function_id>", functions.show),
    ("POST", "/v1/functions/<function_id>", functions.execute),
    ("DELETE", "/v1/functions/<function_id>", functions.delete),
    ("GET", "/v1/functions/<function_id>/versions", functions.versions),
    ("GET", "/v1/functions/<function_id>/build-log", functions.build_log),
    ("GET", "/v1/requests", requests.index),
    ("GET", "/v1/requests/<request_id>", requests.show),
    ("GET", "/v1/requests/<request_id>/logs", requests.logs),
]


def register(app: Flask) -> None:
    """Add every route to an application."""
    for method, rule, handler in ROUTES:
        app.add_url_rule(rule, f"{method} {rule}", handler, methods=[method])
