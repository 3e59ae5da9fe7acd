"""Keeps what is secret of a record unreadable where the store alone is read: sealed by a key that
is derived from the installation's.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken

from pratai_common.tokens import TokenKey


class SealError(Exception):
    """What was to be opened was sealed by another installation's key, or is damaged."""


class Sealer:
    """Seals text for one purpose; what is sealed for another it does not open."""

    def __init__(self, key: TokenKey, purpose: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key.derive(f"seal {purpose}")))

    def seal(self, text: str) -> str:
        """Return text that only this installation can read."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed; raises SealError."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealError("it was not sealed by this installation's key") from error
