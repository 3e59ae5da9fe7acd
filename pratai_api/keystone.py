"""Callers by Keystone's tokens: auth_token validates and caches them, oslo.policy judges."""

import logging
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystonemiddleware.auth_token import AuthProtocol
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy.policy import Enforcer

from pratai_api import keystone_options, policies
from pratai_api.caller import Caller
from pratai_api.errors import ApiError
from pratai_api.keystone_sessions import Sessions
from pratai_api.keystone_trusts import KeystoneTrusts
from pratai_api.trusts import Trusts

LOG = logging.getLogger(__name__)
_TOKENS = ("HTTP_X_AUTH_TOKEN", "HTTP_X_STORAGE_TOKEN")
_RETRY_AFTER_SECONDS = "1"
_PATIENCE_SECONDS = 1.0


class KeystoneIdentity:
    """Asks Keystone, with the service user of ``[keystone_authtoken]``.

    auth_token is made to stand before a whole application. Here it stands before ``_accept`` and
    is called for the routes that need a caller alone: what is anonymous works without Keystone,
    and neither the body of a request nor that of an answer passes through it. While Keystone does
    not answer, an eighth of the API's threads wait for it at most: the others serve who needs no
    token.
    """

    secured = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        keystone_options.register(conf)
        _require(conf, "auth_type", "auth_section")
        _require(conf, "www_authenticate_uri")
        # What it defers looks alike for a token that is not valid and a Keystone that is away.
        settings = {"oslo_config_config": conf, "delay_auth_decision": False}
        self._auth_token = AuthProtocol(_accept, settings)
        self._enforcer = policies.make_enforcer(conf)
        self._places = threading.BoundedSemaphore(max(1, conf.api.threads // 8))
        self._uri = conf.keystone_authtoken.www_authenticate_uri
        sessions = Sessions(conf)
        self.sessions: Sessions | None = sessions
        self.trusts: Trusts | None = KeystoneTrusts(sessions)

    def identify(self, environ: dict[str, Any]) -> Caller | None:
        """See pratai_api.auth.Identity."""
        if not any(environ.get(name) for name in _TOKENS):
            return None
        if not self._places.acquire(timeout=_PATIENCE_SECONDS):
            raise _unavailable()
        try:
            code = self._validate(environ)
        finally:
            self._places.release()
        if code == 401:
            raise self._refusal("the token is unknown, expired or revoked")
        if code != 200:
            raise _unavailable()
        context = RequestContext.from_environ(environ)
        if context.project_id is None or context.user_id is None:
            message = "the token is of no project: ask Keystone for one of a project"
            raise ApiError(403, "project_scope_required", message)
        return Caller(
            context.project_id,
            context.user_id,
            partial(_allows, self._enforcer, context),
            token=context.auth_token,
        )

    def unknown(self) -> ApiError:
        """See pratai_api.auth.Identity."""
        return self._refusal("this needs a token of Keystone, in the header X-Auth-Token")

    def _refusal(self, message: str) -> ApiError:
        challenge = {"WWW-Authenticate": f'Keystone uri="{self._uri}"'}
        return ApiError(401, "unauthenticated", message, challenge)

    def _validate(self, environ: dict[str, Any]) -> int:
        """Let auth_token write who calls into the environment, and nobody else; returns the
        status that it answers with.
        """
        statuses: list[str] = []
        try:
            self._auth_token(environ, lambda status, *_: statuses.append(status))
        except ClientException as error:
            LOG.error("Keystone cannot be asked: %s", error)
            raise _unavailable() from error
        return int(statuses[0].split(" ")[0])


def _require(conf: cfg.ConfigOpts, *names: str) -> None:
    """Raise RequiredOptError where none of these options has a value."""
    if not any(conf.keystone_authtoken[name] for name in names):
        raise cfg.RequiredOptError(names[0], cfg.OptGroup("keystone_authtoken"))


def _accept(_environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
    """Be the application that only requests with a valid token reach."""
    start_response("200 OK", [])
    return []


def _allows(enforcer: Enforcer, context: RequestContext, rule: str, project_id: str) -> bool:
    return bool(enforcer.authorize(rule, {"project_id": project_id}, context))


def _unavailable() -> ApiError:
    message = "Keystone does not answer, so nobody knows who calls; nothing was done"
    headers = {"Retry-After": _RETRY_AFTER_SECONDS}
    return ApiError(503, "identity_unavailable", message, headers)
