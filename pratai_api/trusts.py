"""The right that a user gives to a function: to act for them in its project."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pratai_common.errors import PrataiError
from pratai_common.provisions import Delegated
from pratai_common.records import Trust

REVOKED = "the right of the function's owner is valid no more"
"""What is said of a run that has none."""


class TrustError(PrataiError):
    """Base of what goes wrong with a trust; the message is meant for whoever asked."""


class TrustRefusedError(TrustError):
    """The user cannot give that right, or not by the token that they called with."""


class TrustRevokedError(TrustError):
    """The right is valid no more: it was taken back, or whoever gave it is disabled."""


class TrustsUnavailableError(TrustError):
    """Keystone does not answer."""


class Grant(NamedTuple):
    """What a right is used by: Keystone's id of a trust, or that of an application credential, and
    its secret.
    """

    identity: str
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Grant(identity={self.identity!r})"


class Trusts(Protocol):
    """Makes such rights, and acts by them. May be used from many threads; every method may raise
    TrustsUnavailableError.
    """

    def make(
        self, token: str, user_id: str, project_id: str, roles: Sequence[str], asked: bool
    ) -> Trust:
        """Have a user, who called with a token, trust the platform; raises TrustRefusedError."""

    def delete(self, trust: Trust, token: str | None) -> None:
        """Take a right back, by itself or by the token of who calls; one that is gone is none."""

    def roles(self, grant: Grant, user_id: str, project_id: str) -> tuple[str, ...]:
        """Return the roles of an application credential, which must be a user's own, and of a
        project; raises TrustRefusedError.
        """

    def act(self, grant: Grant) -> Delegated:
        """Return a new token in the name of who gave the right; raises TrustRevokedError."""
