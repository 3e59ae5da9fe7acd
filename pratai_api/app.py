"""The application: everything it is made of, on one screen."""

from flask import Flask, g, request

from pratai_api import auth, errors, routes
from pratai_api.answers import Answer
from pratai_api.auth import Identity
from pratai_api.services import Services


def create_app(services: Services, identity: Identity) -> Flask:
    """Return the WSGI application that works with these services, for who is identified.

    ``pipeline.wrap`` puts around it what makes the id of an HTTP request, and shows it.
    """
    app = Flask("pratai")
    app.response_class = Answer
    app.url_map.merge_slashes = False
    app.extensions["pratai"] = services
    app.before_request(_begin)
    errors.register(app)
    routes.register(app, services, identity)
    return app


def _begin() -> None:
    g.http_request_id = auth.begin(request.environ)
