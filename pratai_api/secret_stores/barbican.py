"""Secrets in Barbican, by the right of who calls, or of the owner whose function runs.

A value cannot change there, so a name's new value is a new secret, and the newest of a name counts.
What else is in the project, made by other clients, is read in the same way, and never deleted:
secrets that were made here have ``MODE`` for their mode, which Barbican keeps for its users' own
purposes.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

from barbicanclient import client
from barbicanclient import exceptions as barbican
from keystoneauth1 import exceptions as keystone
from keystoneauth1.session import Session
from oslo_config import cfg

from pratai_api.keystone_sessions import Sessions
from pratai_api.secret_stores.base import (
    Right,
    RightRevokedError,
    SecretForbiddenError,
    SecretInfo,
    SecretMissingError,
    SecretRefusedError,
    SecretStore,
    SecretsUnavailableError,
    missing,
)
from pratai_api.trusts import TrustRevokedError, TrustsUnavailableError
from pratai_common.tokens import TokenKey

LOG = logging.getLogger(__name__)
_SERVICE_TYPE = "key-manager"
_PAGE = 100
MODE = "pratai"
_FOR_NOW = (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""What may be answered otherwise soon; a token that Keystone has given a moment ago is refused by a
Barbican that cannot ask Keystone.
"""

MOST_SECONDS = 10.0
"""After so long no further value is begun with: a Barbican that is slow, and never silent, would
hold who asks for several for minutes.
"""


class BarbicanSecrets(SecretStore):
    """See the module. ``interface`` is which of Barbican's addresses in the catalogue is used."""

    needs_trust: ClassVar[bool] = True

    def __init__(
        self,
        sessions: Sessions,
        interface: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._interface = interface
        self._now = now

    @classmethod
    def from_conf(
        cls, conf: cfg.ConfigOpts, key: TokenKey, sessions: Sessions | None
    ) -> "BarbicanSecrets":
        """See SecretStore. Options: [secrets], and [keystone_authtoken].

        Raises SystemExit where callers have no tokens.
        """
        if sessions is None:
            raise SystemExit("[secrets] driver = barbican needs [api] auth_strategy = keystone")
        return cls(sessions, conf.secrets.interface)

    def put(self, right: Right, name: str, value: bytes) -> SecretInfo:
        """See SecretStore. The former values go once the new one is there."""
        with self._secrets(right) as secrets:
            former = _named(secrets, name)
            reference = secrets.create(name=name, payload=value, mode=MODE).store()
            for each in former:
                if _is_ours(each):
                    _forget(each)
            return SecretInfo(name, _created_at(secrets.get(reference)))

    def list(self, right: Right) -> list[SecretInfo]:
        """See SecretStore."""
        found: dict[str, int] = {}
        with self._secrets(right) as secrets:
            for each in _pages(secrets):
                if each.name:
                    found[each.name] = max(found.get(each.name, 0), _created_at(each))
        return [SecretInfo(name, found[name]) for name in sorted(found)]

    def get(self, right: Right, name: str) -> bytes:
        """See SecretStore."""
        return self.get_each(right, [name])[name]

    def get_each(self, right: Right, names: Iterable[str]) -> dict[str, bytes]:
        """See SecretStore."""
        ends = self._now() + MOST_SECONDS
        values: dict[str, bytes] = {}
        with self._secrets(right) as secrets:
            for name in names:
                if self._now() > ends:
                    raise SecretsUnavailableError("Barbican takes too long")
                values[name] = _value(secrets, name)
        return values

    def delete(self, right: Right, name: str) -> None:
        """See SecretStore. A secret that was not made here would be what the name means then, or
        others rely on it: SecretRefusedError.
        """
        with self._secrets(right) as secrets:
            found = _named(secrets, name)
            if not found:
                raise missing(name)
            if not all(_is_ours(each) for each in found):
                message = "another client has made one of that name, or uses it: delete it there"
                raise SecretRefusedError(message)
            for each in reversed(found):  # the one that counts last: a failure changes nothing
                each.delete()

    @contextmanager
    def _secrets(self, right: Right) -> Iterator[Any]:
        """Give barbicanclient's manager of secrets, and turn what it fails with into our own."""
        statuses: list[int] = []
        with _failures(right, statuses):
            endpoint = self._sessions.endpoint(_SERVICE_TYPE, self._interface)
            if endpoint is None:
                raise SecretsUnavailableError("Keystone's catalogue has no Barbican")
            with self._session(right) as session:
                session.session.hooks["response"].append(
                    lambda answer, **_: statuses.append(answer.status_code)
                )
                yield client.Client(session=session, endpoint=endpoint).secrets

    @contextmanager
    def _session(self, right: Right) -> Iterator[Session]:
        """Give a session that has a token; raises RightRevokedError where Keystone gives none."""
        sessions = self._sessions
        by_right = (
            sessions.of_token(right.token or "")
            if right.grant is None
            else sessions.of_grant(right.grant)
        )
        try:
            with by_right as session:
                yield session
        except TrustRevokedError as error:
            raise RightRevokedError(str(error)) from error
        except TrustsUnavailableError as error:
            raise SecretsUnavailableError(str(error)) from error


def _named(secrets: Any, name: str) -> list[Any]:
    """Return the secrets of a name, the newest first."""
    return sorted(_pages(secrets, name=name), key=_age, reverse=True)


def _value(secrets: Any, name: str) -> bytes:
    found = _named(secrets, name)
    payload = found[0].payload if found else None
    if payload is None:
        raise missing(name)
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def _pages(secrets: Any, **which: str) -> Iterator[Any]:
    offset = 0
    while found := secrets.list(limit=_PAGE, offset=offset, sort="created:asc", **which):
        yield from found
        offset += len(found)
        if len(found) < _PAGE:
            return


def _age(secret: Any) -> tuple[Any, str]:
    return secret.created, secret.secret_ref


def _created_at(secret: Any) -> int:
    return int(secret.created.timestamp() * 1000)


def _is_ours(secret: Any) -> bool:
    """Say whether it was made here, and no other service has said that it uses it."""
    return bool(secret.mode == MODE and not secret.consumers)


def _forget(secret: Any) -> None:
    """Delete a former value; one that stays, because it is somebody else's, counts no more."""
    try:
        secret.delete()
    except barbican.HTTPClientError as error:
        LOG.warning("a former value of a secret stays: %s", error)


@contextmanager
def _failures(right: Right, statuses: list[int]) -> Iterator[None]:
    """Turn what barbicanclient fails with into our own; ``statuses`` are of what was answered."""
    try:
        yield
    except barbican.HTTPAuthError as error:
        raise _refusal(right, HTTPStatus.UNAUTHORIZED, error) from error
    except barbican.HTTPClientError as error:
        raise _refusal(right, error.status_code, error) from error
    except KeyError as error:
        # A refusal without a title: keystonemiddleware's of a token are such, and others may be.
        raise _refusal(right, statuses[-1] if statuses else 0, error) from error
    except (barbican.HTTPServerError, barbican.PayloadException, keystone.ClientException) as error:
        raise _away(error) from error
    except ValueError as error:  # an answer that is no JSON: of a proxy before it, say
        raise SecretsUnavailableError("what answers is no Barbican") from error


def _refusal(right: Right, status: int, error: Exception) -> Exception:
    """Return what it means that Barbican has answered with this status."""
    if status == HTTPStatus.UNAUTHORIZED and right.grant is None:
        return RightRevokedError("Barbican does not know the token")
    if status == HTTPStatus.FORBIDDEN and "quota" not in str(error).lower():
        return SecretForbiddenError("Barbican does not allow it")
    if status == HTTPStatus.NOT_FOUND:
        return SecretMissingError("the secret is gone")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return SecretRefusedError("Barbican takes no value of that size")
    if status in _FOR_NOW or not 400 <= status < 500:
        return _away(error)
    return SecretRefusedError(f"Barbican refuses it: {error}")


def _away(error: Exception) -> SecretsUnavailableError:
    return SecretsUnavailableError(f"Barbican does not do it: {error}")
