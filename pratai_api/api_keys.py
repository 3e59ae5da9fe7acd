"""API keys: what they look like, and who calls with one.

A key is ``prk_``, twelve hexadecimal digits and, behind ``_``, 256 random bits in base64. What is
before the bits is its prefix, by which it is listed, found and revoked. The store has a hash of the
whole, and is asked at each call: a key that was revoked is refused by every API process at once.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from oslo_context.context import RequestContext

from pratai_api.caller import OF_KEYS, Caller
from pratai_api.errors import ApiError
from pratai_api.services import services

_BEARER = re.compile(r"bearer +(prk_.*)", re.IGNORECASE)
_PREFIX = re.compile(r"prk_[0-9a-f]{12}")
_KEY = re.compile(rf"({_PREFIX.pattern})_[A-Za-z0-9_-]{{43}}")
_PREFIX_BYTES, _SECRET_BYTES = 6, 32
_NO_KEY = "0" * 64


class NewKey(NamedTuple):
    """A key that nobody has yet, the part of it that names it, and its hash."""

    text: str
    prefix: str
    sha256: str


def generate() -> NewKey:
    """Return a key that nobody could guess."""
    prefix = f"prk_{secrets.token_hex(_PREFIX_BYTES)}"
    text = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(text, prefix, _sha256(text))


def is_prefix(text: str) -> bool:
    """Say whether a text looks like a key's prefix, and has nothing of what is behind it."""
    return _PREFIX.fullmatch(text) is not None


def claimed_prefix(environ: Mapping[str, Any]) -> str | None:
    """Return the prefix of what a request says is its key, whether or not there is such a key."""
    shape = _KEY.fullmatch(presented(environ) or "")
    return None if shape is None else shape[1]


def presented(environ: Mapping[str, Any]) -> str | None:
    """Return what a request says is its key, ``None`` where it has none. ``environ`` is WSGI's."""
    found = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", "").strip())
    return None if found is None else found[1]


def identify(text: str, environ: Mapping[str, Any]) -> Caller:
    """Return who calls with a key, and tell the log; raises ApiError (401), or
    StoreUnavailableError.
    """
    shape = _KEY.fullmatch(text)
    key = None if shape is None else services().store.get_key(shape[1])
    # Of equal length, whatever there is: how long it takes says nothing of what is wrong.
    right = hmac.compare_digest(_sha256(text), _NO_KEY if key is None else key.sha256)
    if key is None or not right or key.expired(services().clock()):
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        message = "the API key is unknown, revoked or expired"
        raise ApiError(401, "unauthenticated", message, challenge)
    RequestContext(
        user_id=key.prefix,
        project_id=key.project_id,
        request_id=environ.get("openstack.request_id"),
        global_request_id=environ.get("openstack.global_request_id"),
        overwrite=True,
    )

    def allows(rule: str, project_id: str) -> bool:
        return rule in OF_KEYS and project_id == key.project_id

    return Caller(key.project_id, key.prefix, allows, key)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("latin-1", "replace")).hexdigest()
