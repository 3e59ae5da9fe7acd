"""Trusts of Keystone, from users to the service user: with impersonation, never to be passed on."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from keystoneauth1 import exceptions
from keystoneauth1.session import Session

from pratai_api.keystone_sessions import REFUSED, Sessions, unavailable
from pratai_api.trusts import Grant, TrustRefusedError, TrustRevokedError
from pratai_common.provisions import Delegated
from pratai_common.records import Trust

LOG = logging.getLogger(__name__)
_TRUSTS = "/OS-TRUST/trusts"


class KeystoneTrusts:
    """See pratai_api.trusts.Trusts."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def make(
        self, token: str, user_id: str, project_id: str, roles: Sequence[str], asked: bool
    ) -> Trust:
        """See Trusts."""
        with _unavailable():
            body = {
                "trustor_user_id": user_id,
                "trustee_user_id": self._sessions.service.get_user_id(),
                "project_id": project_id,
                "roles": [{"name": name} for name in roles],
                "impersonation": True,
                "allow_redelegation": False,
            }
            with self._sessions.of_token(token) as session:
                try:
                    answer = self._sessions.keystone(session).post(_TRUSTS, json={"trust": body})
                except (*REFUSED, exceptions.BadRequest) as error:
                    raise TrustRefusedError(_why(error, roles)) from error
        made = answer.json()["trust"]
        return Trust(trust_id=made["id"], user_id=user_id, roles=tuple(roles), asked=asked)

    def delete(self, trust: Trust, token: str | None) -> None:
        """See Trusts. Its own token may do it, whoever calls; where there is none any more, who
        calls is asked, and a trust that stays all the same is valid for nobody.
        """
        if trust.sealed is not None:
            return  # an application credential is its user's own
        deleted = False
        with suppress(TrustRevokedError), self._sessions.of_grant(Grant(trust.trust_id)) as session:
            deleted = self._deleted(session, trust)
        if not deleted and token is not None:
            with self._sessions.of_token(token) as session:
                deleted = self._deleted(session, trust)
        if not deleted:
            LOG.warning("the trust %s is gone, or its user has to delete it", trust.trust_id)

    def roles(self, grant: Grant, user_id: str, project_id: str) -> tuple[str, ...]:
        """See Trusts."""
        try:
            access = self._access(grant)
        except TrustRevokedError as error:
            message = "Keystone does not know this application credential, or not this secret of it"
            raise TrustRefusedError(message) from error
        if (access.user_id, access.project_id) != (user_id, project_id):
            message = "the application credential is not yours, or not of this project"
            raise TrustRefusedError(message)
        return tuple(sorted(access.role_names))

    def act(self, grant: Grant) -> Delegated:
        """See Trusts."""
        access = self._access(grant)
        return Delegated(
            auth_url=self._sessions.url,
            token=access.auth_token,
            expires_at=access.expires.isoformat(),
            project_id=access.project_id,
            user_id=access.user_id,
        )

    def _access(self, grant: Grant) -> Any:
        """Return what a new token is good for; raises TrustRevokedError."""
        with self._sessions.of_grant(grant) as session, _unavailable():
            auth: Any = session.auth
            return auth.get_access(session)

    def _deleted(self, session: Session, trust: Trust) -> bool:
        with _unavailable():
            try:
                self._sessions.keystone(session).delete(f"{_TRUSTS}/{trust.trust_id}")
            except exceptions.NotFound:
                return True
            except REFUSED:
                return False
        return True


def _why(error: exceptions.HttpError, roles: Sequence[str]) -> str:
    if isinstance(error, exceptions.NotFound):
        return f"there is no such role, or you have it not in this project: {', '.join(roles)}"
    return (
        "Keystone does not let you give this right; it takes a token that was got by a password,"
        f" and roles that you have: {error.message}"
    )


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except exceptions.ClientException as error:
        raise unavailable(error) from error
