"""The application: everything it is made of, on one screen."""

import uuid

from flask import Flask, Response, g

from pratai_api import errors, routes
from pratai_api.answers import Answer
from pratai_api.services import Services


def create_app(services: Services) -> Flask:
    """Return the WSGI application that works with these services."""
    app = Flask("pratai")
    app.response_class = Answer
    app.url_map.merge_slashes = False
    app.extensions["pratai"] = services
    app.before_request(_name_http_request)
    app.after_request(_show_http_request)
    errors.register(app)
    routes.register(app, services)
    return app


def _name_http_request() -> None:
    g.http_request_id = f"req-{uuid.uuid4()}"


def _show_http_request(answer: Response) -> Response:
    answer.headers["X-Openstack-Request-Id"] = g.http_request_id
    return answer
