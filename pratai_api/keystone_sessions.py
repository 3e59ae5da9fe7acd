"""Sessions with the services of OpenStack: as the service user, by the token of who calls, or by
the right that they gave to a function.

The service user is that of ``[keystone_authtoken]``. Nothing is kept of the sessions by a right:
that somebody was disabled is noticed when the next one begins.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import exceptions, loading, token_endpoint
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from oslo_config import cfg

from pratai_api import keystone_options
from pratai_api.trusts import REVOKED, Grant, TrustRevokedError, TrustsUnavailableError

LOG = logging.getLogger(__name__)
REFUSED = (exceptions.Unauthorized, exceptions.Forbidden, exceptions.NotFound)
"""How Keystone refuses: a trust of a user who is disabled (403); a trust that is gone (401, as a
service user whose password is wrong), and an application credential that is; no such thing (404).
"""

_GROUP = "keystone_authtoken"
_NO_SCOPE = {
    "project_id": None,
    "project_name": None,
    "project_domain_id": None,
    "project_domain_name": None,
    "domain_id": None,
    "domain_name": None,
    "default_domain_id": None,
    "default_domain_name": None,
    "system_scope": None,
}
_IDENTITY = "identity"


class Sessions:
    """See the module. May be used from many threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        keystone_options.register(conf)
        options = conf.keystone_authtoken
        self._conf = conf
        self._group: str = options.auth_section or _GROUP
        self._timeout: float | None = options.http_connect_timeout
        self._verify: str | bool = False if options.insecure else (options.cafile or True)
        self._region: str | None = options.region_name
        self._interface: str = options.interface
        self.service = self._session(loading.load_auth_from_conf_options(conf, self._group))
        self.url = _v3(options.www_authenticate_uri or conf[self._group].auth_url)
        """Keystone, as clients know it."""

    def endpoint(self, service_type: str, interface: str | None = None) -> str | None:
        """Return where the catalogue says that a service is; keystoneauth asks once."""
        found: str | None = self.service.get_endpoint(
            service_type=service_type,
            interface=interface or self._interface,
            region_name=self._region,
        )
        return found

    def keystone(self, session: Session | None = None) -> Adapter:
        """Return Keystone's v3 as the service user, or whom the session is of, sees it."""
        return Adapter(
            session or self.service,
            service_type=_IDENTITY,
            interface=self._interface,
            region_name=self._region,
            version="3",
            endpoint_override=None if session is None else self._keystone_url(),
        )

    @contextmanager
    def of_token(self, token: str) -> Iterator[Session]:
        """Give a session of who has a token; it ends with the token."""
        with _closed(self._session(token_endpoint.Token(self._keystone_url(), token))) as session:
            yield session

    @contextmanager
    def of_grant(self, grant: Grant) -> Iterator[Session]:
        """Give a session in the name of whoever gave a right, which has its token.

        Raises TrustRevokedError where Keystone refuses the right, and TrustsUnavailableError where
        it does not answer, or refuses the service user, so that nothing is known of the right. The
        cause of either is keystoneauth's.
        """
        with _closed(self._session(self._by(grant))) as session:
            self._require_token(session, grant)
            yield session

    def _require_token(self, session: Session, grant: Grant) -> None:
        try:
            session.get_token()
        except REFUSED as error:
            if grant.secret is None:
                self._require_service()
            elif not isinstance(error, exceptions.Unauthorized):
                raise unavailable(error) from error
            raise TrustRevokedError(REVOKED) from error
        except exceptions.ClientException as error:
            raise unavailable(error) from error

    def _require_service(self) -> None:
        """Raise TrustsUnavailableError where the service user gets no token: whose password is
        another by now, or who is locked out, is refused with a trust as if that were gone.
        """
        auth = loading.load_auth_from_conf_options(self._conf, self._group)
        try:
            with _closed(self._session(auth)) as session:
                session.get_token()
        except exceptions.ClientException as error:
            raise unavailable(error) from error

    def _by(self, grant: Grant) -> Any:
        """Return what authenticates by a right: as the service user by a trust, or by an
        application credential.
        """
        if grant.secret is not None:
            return v3.ApplicationCredential(
                self._keystone_url(),
                application_credential_id=grant.identity,
                application_credential_secret=grant.secret,
            )
        return loading.load_auth_from_conf_options(
            self._conf, self._group, trust_id=grant.identity, **_NO_SCOPE
        )

    def _session(self, auth: Any) -> Session:
        return Session(auth, verify=self._verify, timeout=self._timeout)

    def _keystone_url(self) -> str:
        """Return the address of Keystone's v3, wherever the catalogue says that Keystone is."""
        return _v3(self._conf[self._group].auth_url)


@contextmanager
def _closed(session: Session) -> Iterator[Session]:
    """Have a session's connections closed behind it: whoever collects it later may take its sockets
    first.
    """
    try:
        yield session
    finally:
        session.session.close()


def unavailable(error: exceptions.ClientException) -> TrustsUnavailableError:
    """Return what is raised where Keystone does not do what it should; the log has why."""
    LOG.error("Keystone does not do it: %s", error)
    return TrustsUnavailableError("Keystone does not answer; try again")


def _v3(address: str) -> str:
    url = address.rstrip("/")
    return url if url.endswith("/v3") else f"{url}/v3"
