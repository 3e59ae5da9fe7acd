"""What a function is given beside its code, as the API seals it to a node (``envelopes``).

Whoever shows one of these in a log or a traceback shows no value.
"""

import msgspec

from pratai_common.decoding import msgpack_decoder
from pratai_common.errors import DecodeError


class Delegated(msgspec.Struct, frozen=True, kw_only=True):
    """What a function acts with for its owner: a token of Keystone that is valid until
    ``expires_at`` (ISO 8601), in a project, and Keystone's address.
    """

    auth_url: str
    token: str
    expires_at: str
    project_id: str
    user_id: str

    def __repr__(self) -> str:
        return f"Delegated(user_id={self.user_id!r}, project_id={self.project_id!r})"


class GivenSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret's value, and where the function finds it; see ``records.SecretUse``."""

    name: str
    value: bytes
    file: str | None = None
    environment: str | None = None

    def __repr__(self) -> str:
        return f"GivenSecret(name={self.name!r})"


class Provisions(msgspec.Struct, frozen=True, kw_only=True):
    """All that one function is given; ``identity`` where it acts for its owner."""

    secrets: tuple[GivenSecret, ...] = ()
    identity: Delegated | None = None


_decoder = msgpack_decoder(Provisions)


def encode(provisions: Provisions) -> bytes:
    """Return it as bytes."""
    return msgspec.msgpack.encode(provisions)


def decode(content: bytes) -> Provisions:
    """Return what ``encode`` was given; raises DecodeError."""
    try:
        return _decoder.decode(content)
    except msgspec.DecodeError as error:
        raise DecodeError(str(error)) from error
