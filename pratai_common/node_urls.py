"""Addresses of the API that let whoever has one fetch one archive until a time, and nothing else;
and those of what one attempt of a function needs beside its code.

A node needs no other right: it holds no key, no token of Keystone, and no credentials of a storage.
"""

import hashlib
import hmac
from urllib.parse import urlencode

import msgspec
from oslo_config import cfg

from pratai_common.tokens import TokenKey

ARCHIVES = "/v1/node/archives"
RESULTS = "/v1/node/results"
SECRETS = "/v1/node/secrets"
CLAIM_HEADER = "X-Pratai-Claim"
KEY_HEADER = "X-Pratai-Key"
"""A node's public key, in base64: for what is sealed to it, where nodes have no key files."""


class NodeUrls:
    """Signs such addresses, and says whether one is genuine. ``base`` is where nodes reach the API.

    ``expires`` is in seconds since 1970.
    """

    def __init__(self, base: str, key: TokenKey) -> None:
        self._base = base.rstrip("/")
        self._key = key.derive("archive")
        self._secrets_key = key.derive("secrets of a run")

    def archive(self, sha256: str, expires: int) -> str:
        """Return the address of an archive."""
        query = urlencode({"expires": expires, "signature": self._signature(sha256, expires)})
        return f"{self._base}{ARCHIVES}/{sha256}?{query}"

    def genuine(self, sha256: str, expires: int, signature: str) -> bool:
        """Say, in constant time, whether a signature is that of an archive's address."""
        expected = self._signature(sha256, expires).encode()
        return hmac.compare_digest(expected, signature.encode())

    def secrets(self, function_id: str, request_id: str, expires: int) -> str:
        """Return the address of what a function needs beside its code, for one of its requests."""
        signature = self._secrets_signature(function_id, request_id, expires)
        query = {"function_id": function_id, "expires": expires, "signature": signature}
        return f"{self._base}{SECRETS}?{urlencode(query)}"

    def opens_secrets(
        self, function_id: str, request_id: str, expires: int, signature: str
    ) -> bool:
        """Say, in constant time, whether a signature is that of such an address."""
        expected = self._secrets_signature(function_id, request_id, expires).encode()
        return hmac.compare_digest(expected, signature.encode())

    def _secrets_signature(self, function_id: str, request_id: str, expires: int) -> str:
        signed = msgspec.msgpack.encode((function_id, request_id, expires))
        return hmac.digest(self._secrets_key, signed, hashlib.sha256).hex()

    def _signature(self, sha256: str, expires: int) -> str:
        signed = msgspec.msgpack.encode((sha256, expires))
        return hmac.digest(self._key, signed, hashlib.sha256).hex()


def node_url(conf: cfg.ConfigOpts) -> str:
    """Return where nodes reach the API."""
    return str(conf.archives.node_url or f"http://{conf.api.host}:{conf.api.port}")
