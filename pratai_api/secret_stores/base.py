"""What a store of secrets does: values by their names in a project.

``tests/contract/secrets`` says what one must do; whoever passes it can be one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from oslo_config import cfg
from stevedore import driver

from pratai_api.trusts import Grant
from pratai_common.errors import PrataiError
from pratai_common.tokens import TokenKey

if TYPE_CHECKING:  # what it imports takes long, and is not needed without Keystone
    from pratai_api.keystone_sessions import Sessions


class SecretError(PrataiError):
    """Base of what stores of secrets raise; the message is meant for whoever asked, and has no
    value in it.
    """


class SecretMissingError(SecretError):
    """The project has no secret of that name."""


class SecretForbiddenError(SecretError):
    """Whoever asks may not do it."""


class SecretRefusedError(SecretError):
    """The store does not take it: it is too large, or there are too many."""


class RightRevokedError(SecretError):
    """The right by which it was asked is valid no more."""


class SecretsUnavailableError(SecretError):
    """The store does not answer; it is not known whether anything was done."""


class Right(NamedTuple):
    """By whose right a project's secrets are asked for: the token of who calls, or what they gave
    to their function. A store that has no users asks for neither.
    """

    project_id: str
    token: str | None = None
    grant: Grant | None = None

    def __repr__(self) -> str:
        return f"Right(project_id={self.project_id!r})"


class SecretInfo(NamedTuple):
    """What may be told of a secret; times are milliseconds since 1970."""

    name: str
    created_at: int


class SecretStore(ABC):
    """See the module. May be used from many threads; every method may raise
    SecretsUnavailableError, SecretForbiddenError and RightRevokedError.
    """

    needs_trust: ClassVar[bool]
    """Whether a function reads its secrets by a right of its owner."""

    @classmethod
    @abstractmethod
    def from_conf(
        cls, conf: cfg.ConfigOpts, key: TokenKey, sessions: "Sessions | None"
    ) -> "SecretStore":
        """Return the store that the configuration describes. ``key`` is the installation's, and
        ``sessions`` are those with OpenStack's services, ``None`` where callers have no tokens.
        """

    @abstractmethod
    def put(self, right: Right, name: str, value: bytes) -> SecretInfo:
        """Keep a value durably, in place of the one that the name has, if any.

        Raises SecretRefusedError.
        """

    @abstractmethod
    def list(self, right: Right) -> list[SecretInfo]:
        """Return what the project has, by name."""

    @abstractmethod
    def get(self, right: Right, name: str) -> bytes:
        """Return a value; raises SecretMissingError."""

    def get_each(self, right: Right, names: Iterable[str]) -> dict[str, bytes]:
        """Return several values by name; raises what ``get`` does."""
        return {name: self.get(right, name) for name in names}

    @abstractmethod
    def delete(self, right: Right, name: str) -> None:
        """Forget a value; raises SecretMissingError, and SecretRefusedError where it is not the
        platform's alone.
        """


def missing(name: str) -> SecretMissingError:
    """Return what is raised where a project has no such secret."""
    return SecretMissingError(f"the project has no secret {name}")


def open_secret_store(
    conf: cfg.ConfigOpts, key: TokenKey, sessions: "Sessions | None"
) -> SecretStore:
    """Open the store that ``[secrets] driver`` names."""
    plugin: Any = driver.DriverManager("pratai.secret_stores", conf.secrets.driver)
    store: SecretStore = plugin.driver.from_conf(conf, key, sessions)
    return store
