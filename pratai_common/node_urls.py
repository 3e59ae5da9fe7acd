"""Addresses of the API that let whoever has one fetch one archive until a time, and nothing else.

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
CLAIM_HEADER = "X-Pratai-Claim"


class NodeUrls:
    """Signs such addresses, and says whether one is genuine. ``base`` is where nodes reach the API.

    ``expires`` is in seconds since 1970.
    """

    def __init__(self, base: str, key: TokenKey) -> None:
        self._base = base.rstrip("/")
        self._key = key.derive("archive")

    def archive(self, sha256: str, expires: int) -> str:
        """Return the address of an archive."""
        query = urlencode({"expires": expires, "signature": self._signature(sha256, expires)})
        return f"{self._base}{ARCHIVES}/{sha256}?{query}"

    def genuine(self, sha256: str, expires: int, signature: str) -> bool:
        """Say, in constant time, whether a signature is that of an archive's address."""
        expected = self._signature(sha256, expires).encode()
        return hmac.compare_digest(expected, signature.encode())

    def _signature(self, sha256: str, expires: int) -> str:
        signed = msgspec.msgpack.encode((sha256, expires))
        return hmac.digest(self._key, signed, hashlib.sha256).hex()


def node_url(conf: cfg.ConfigOpts) -> str:
    """Return where nodes reach the API."""
    return str(conf.archives.node_url or f"http://{conf.api.host}:{conf.api.port}")
