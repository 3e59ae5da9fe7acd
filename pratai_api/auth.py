"""Who may use a route: asked before its handler runs, of a plug-in that ``[api] auth_strategy``
names.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from flask import Response, request
from oslo_config import cfg
from oslo_context.context import RequestContext
from stevedore import driver

from pratai_api import api_keys, caller
from pratai_api.caller import Caller
from pratai_api.errors import ApiError
from pratai_api.openapi import NoToken, Route
from pratai_api.trusts import Trusts

if TYPE_CHECKING:  # what it imports takes long, and is not needed without Keystone
    from pratai_api.keystone_sessions import Sessions


class Identity(Protocol):
    """Knows who makes an HTTP request."""

    secured: bool
    """Whether calls need a token, so that the API's description says so."""

    trusts: Trusts | None
    """How callers give functions a right to act for them, ``None`` where nobody has any."""

    sessions: "Sessions | None"
    """Those with the services that know the callers' tokens, ``None`` where nobody has any."""

    def identify(self, environ: dict[str, Any]) -> Caller | None:
        """Return who calls, ``None`` if the request does not say; tells the log who it is.

        ``environ`` is that of WSGI. Raises ApiError: 401 for a token that is not valid, 403 for
        one of no project, 503 while nobody can tell.
        """

    def unknown(self) -> ApiError:
        """Return the refusal of a request that does not say who makes it."""


class NoAuth:
    """Everybody is the project and the user ``default``, and may do everything.

    Whatever a client sends to say who it is, is not read.
    """

    secured = False
    trusts: Trusts | None = None
    sessions: "Sessions | None" = None

    def __init__(self, conf: cfg.ConfigOpts | None = None) -> None:
        pass

    def identify(self, environ: dict[str, Any]) -> Caller:
        """See Identity."""
        return Caller("default", "default", lambda _rule, _project_id: True)

    def unknown(self) -> ApiError:
        """See Identity."""
        return ApiError(401, "unauthenticated", "nobody is known here")


def open_identity(conf: cfg.ConfigOpts) -> Identity:
    """Return what ``[api] auth_strategy`` names."""
    plugin: Any = driver.DriverManager(
        "pratai.auth_strategies", conf.api.auth_strategy, invoke_on_load=True, invoke_args=(conf,)
    )
    identity: Identity = plugin.driver
    return identity


def guarded(route: Route, identity: Identity) -> Callable[..., Response]:
    """Return a route's handler, which runs once the caller is known and allowed to."""
    rule = route.rule
    if isinstance(rule, NoToken):
        return route.handler

    @wraps(route.handler)
    def handler(**arguments: str) -> Response:
        caller.enter(_caller(identity), rule, identity.unknown())
        if not route.public:
            caller.require()
        return route.handler(**arguments)

    return handler


def _caller(identity: Identity) -> Caller | None:
    """Return who calls: whoever an API key is of, or else what ``Identity`` says."""
    key = api_keys.presented(request.environ)
    if key is not None:
        return api_keys.identify(key, request.environ)
    return identity.identify(request.environ)


def begin(environ: Mapping[str, Any]) -> str:
    """Give a request its context, of nobody yet, for the log; returns its id."""
    context = RequestContext(
        request_id=environ.get("openstack.request_id"),
        global_request_id=environ.get("openstack.global_request_id"),
        overwrite=True,
    )
    return context.request_id
