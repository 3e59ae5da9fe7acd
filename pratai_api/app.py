"""The application: everything it is made of, on one screen."""

from flask import Flask, Request, Response, g, request
from flask.sessions import NullSession, SessionInterface, SessionMixin

from pratai_api import audit, auth, errors, routes
from pratai_api.answers import Answer
from pratai_api.audit import Trail
from pratai_api.auth import Identity
from pratai_api.services import Services

_NONE = NullSession()


def create_app(services: Services, identity: Identity, trail: Trail) -> Flask:
    """Return the WSGI application that works with these services, for who is identified; who
    changes something is told to the ``trail``.

    ``pipeline.wrap`` puts around it what makes the id of an HTTP request, and shows it.
    """
    app = Flask("pratai")
    app.session_interface = _NoSessions()
    app.response_class = Answer
    app.url_map.merge_slashes = False
    app.extensions["pratai"] = services
    app.before_request(_begin)
    errors.register(app)
    routes.register(app, services, identity)
    audit.register(app, routes.ROUTES, trail)
    return app


class _NoSessions(SessionInterface):
    """There are none, so none is looked for in each request."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """See SessionInterface."""
        return _NONE

    def is_null_session(self, obj: object) -> bool:
        """See SessionInterface: what is none is not saved."""
        return True

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """See SessionInterface: never called."""


def _begin() -> None:
    g.http_request_id = auth.begin(request.environ)
