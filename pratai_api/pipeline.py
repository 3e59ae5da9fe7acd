"""What stands around the application: oslo.middleware. What is switched off is not in the path."""

import random
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg
from oslo_middleware import request_id
from oslo_middleware.cors import CORS
from oslo_middleware.healthcheck.pluginbase import HealthcheckBaseExtension
from oslo_middleware.http_proxy_to_wsgi import HTTPProxyToWSGI
from stevedore.named import NamedExtensionManager

_INBOUND = f"HTTP_{request_id.INBOUND_HEADER.upper().replace('-', '_')}"
_FORMAT = re.compile(request_id.ID_FORMAT)
Application = Callable[..., Any]
"""An application as WSGI has it."""


def wrap(application: Application, conf: cfg.ConfigOpts) -> Application:
    """Return an application with what the configuration puts around it.

    ``RequestId`` names each HTTP request, and notes the id that its caller already has for it.
    Bodies are limited where they are read: each route has a limit of its own.
    """
    application = RequestId(application, conf)
    if conf.cors.allowed_origin:
        application = CORS(application, conf)
    if conf.oslo_middleware.enable_proxy_headers_parsing:
        application = HTTPProxyToWSGI(application, conf)
    return application


class RequestId(request_id.RequestId):
    """oslo.middleware's, without the objects that webob makes of each request and each answer:
    to make them costs a fifth of what a bare Flask application does.
    """

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Handle a request, as WSGI has it."""
        own = environ[request_id.ENV_REQUEST_ID] = f"req-{_new_uuid()}"
        theirs = environ.get(_INBOUND, "")
        if _FORMAT.match(theirs):
            environ[request_id.GLOBAL_REQ_ID] = theirs

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            named = [*headers, (request_id.INBOUND_HEADER, own)]
            return start_response(status, named, *error)

        application: Application = self.application  # type: ignore[assignment]  # it is given
        return application(environ, start)


def _new_uuid() -> uuid.UUID:
    """Return a new id without a system call, at which a thread gives up its turn."""
    return uuid.UUID(int=random.getrandbits(128), version=4)


class Health:
    """The checks that ``[healthcheck] backends`` names, of oslo.middleware or anybody else."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        found: NamedExtensionManager[HealthcheckBaseExtension] = NamedExtensionManager(
            "oslo.middleware.healthcheck",
            conf.healthcheck.backends,
            invoke_on_load=True,
            invoke_args=(conf, {}),
            on_missing_entrypoints_callback=_refuse,
        )
        self._checks = [each.obj for each in found if each.obj is not None]

    def ailments(self, port: int) -> list[str]:
        """Return why the API of this port should get no more requests; nothing if it is well."""
        results = [each.healthcheck(port) for each in self._checks]
        return [result.reason for result in results if not result.available]


def _refuse(names: Iterable[str]) -> None:
    """Let nobody believe that something is checked which is not."""
    raise ValueError(f"[healthcheck] backends: there is no {', '.join(sorted(names))}")
