"""The installation's key, and job tokens: who was given an attempt proves it, and nobody can speak
for another's.

The scheduler mints, collector and API verify, nodes only carry: they do not have the key. Whatever
else is to be signed has a key of its own, derived from this one.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from pratai_common.messages import AttemptMessage, Submitted, Ticket, encode

_TOKEN_BYTES = 16
_KEY_BYTES = 32


class TokenKey:
    """The installation's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """Return the key for another purpose: it says nothing of this one, nor of a third."""
        return hmac.digest(self._key, b"derive" + purpose.encode(), hashlib.sha256)

    def mint(self, request_id: str, attempt: int, node: str, epoch: int, project_id: str) -> bytes:
        """Return the token of one attempt: a truncated HMAC-SHA256 of what it may speak for."""
        claim = msgspec.msgpack.encode((request_id, attempt, node, epoch, project_id))
        return hmac.digest(self._key, claim, hashlib.sha256)[:_TOKEN_BYTES]

    def verify(self, message: AttemptMessage) -> bool:
        """Say, in constant time, whether a message speaks for the attempt it names."""
        expected = self.mint(
            message.request_id, message.attempt, message.node, message.epoch, message.project_id
        )
        return hmac.compare_digest(expected, message.token)

    def ticket(self, call: Submitted) -> Ticket:
        """Return a call as it can travel by way of a node that could change it."""
        record = encode(call)
        return Ticket(record=record, mac=self._mac(record))

    def genuine(self, ticket: Ticket) -> bool:
        """Say, in constant time, whether a ticket is one of ours."""
        return hmac.compare_digest(self._mac(ticket.record), ticket.mac)

    def _mac(self, record: bytes) -> bytes:
        return hmac.digest(self._key, b"ticket" + record, hashlib.sha256)[:_TOKEN_BYTES]


def create_key(path: Path) -> bool:
    """Write a new key, readable by its owner alone; leave an existing one. True if written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return True


def load_key(path: Path) -> TokenKey:
    """Read the key; raises FileNotFoundError before ``pratai-db-init`` has made one."""
    return TokenKey(path.read_bytes())
