"""Seals bytes so that the holder of one Curve25519 key opens them, and nobody on the way.

Each envelope has a key of its own: X25519 with an ephemeral key pair, HKDF-SHA256, and
ChaCha20-Poly1305, which also binds it to what it was asked for (``context``).
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from zmq.utils import z85

_KEY_BYTES = 32
_PURPOSE = b"pratai envelope 1"
_NONCE = bytes(12)
"""No key is used for a second envelope."""


class EnvelopeError(Exception):
    """It was not sealed for this key and context, or is damaged; or a key is none."""


def seal(content: bytes, public: bytes, context: bytes) -> bytes:
    """Return what the holder of a public key (32 bytes) alone can open; raises EnvelopeError where
    that is no key.
    """
    ephemeral = X25519PrivateKey.generate()
    head = ephemeral.public_key().public_bytes_raw()
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise EnvelopeError(f"that is no public key: {error}") from error
    return head + _cipher(shared, head, public).encrypt(_NONCE, content, context)


class Opener:
    """The holder of a key pair. ``public`` is 32 bytes, for whoever seals."""

    def __init__(self, secret: bytes) -> None:
        self._secret = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._secret.public_key().public_bytes_raw()

    @classmethod
    def ephemeral(cls) -> "Opener":
        """Return one with a new key pair, which nobody else knows of."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed for this key; raises EnvelopeError."""
        head, rest = sealed[:_KEY_BYTES], sealed[_KEY_BYTES:]
        try:
            shared = self._secret.exchange(X25519PublicKey.from_public_bytes(head))
            return _cipher(shared, head, self.public).decrypt(_NONCE, rest, context)
        except (InvalidTag, ValueError) as error:
            raise EnvelopeError("it was not sealed for this key") from error


def curve_key(key: bytes) -> bytes:
    """Return a key of ZeroMQ's CURVE (Z85, 40 characters) as it is used here: the same key."""
    return z85.decode(key)


def _cipher(shared: bytes, head: bytes, public: bytes) -> ChaCha20Poly1305:
    derivation = HKDF(SHA256(), _KEY_BYTES, None, _PURPOSE + head + public)
    return ChaCha20Poly1305(derivation.derive(shared))
