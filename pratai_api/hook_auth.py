"""Who calls an endpoint, by what the services that call webhooks send. Pure.

``token``: the secret itself in a header, as GitLab sends it. ``github``: GitHub's HMAC of the body.
``standard``: https://www.standardwebhooks.com, whose signature covers id and time as well.

What is secret is compared in constant time, and all that is wrong is refused in the same words.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import NamedTuple

TOLERANCE_SECONDS = 300
"""How far a delivery's time may be from ours, as Standard Webhooks' own libraries have it."""

TOKEN_HEADERS = ("X-Gitlab-Token", "X-Pratai-Token")
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with is no secret
_KEY_BYTES = range(16, 65)
_TIME = re.compile(r"[0-9]{1,12}")


class RefusedError(Exception):
    """The delivery is not from whom it should be, or too old; ``reason`` is a word for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Delivery(NamedTuple):
    """What was sent. ``header`` gives a header's value by its name, empty where there is none;
    ``now`` is when it came, in seconds since 1970.
    """

    header: Callable[[str], str]
    body: bytes
    now: float


def verify(auth: str, secret: str, delivery: Delivery) -> str | None:
    """Return the id that the sender gives the delivery, if it does, however often it sends it.

    Raises RefusedError for a delivery that does not prove that its sender knows the secret.
    """
    return _SCHEMES[auth](secret, delivery)


def require_secret(auth: str, secret: str) -> None:
    """Raise ValueError for a secret that is none for this kind of proof."""
    if auth == "standard":
        _key(secret)


def _token(secret: str, delivery: Delivery) -> str | None:
    # Of equal length, whatever is sent: how long the secret is shall not be learnt either.
    expected = hashlib.sha256(secret.encode()).digest()
    sent = [hashlib.sha256(_bytes(delivery.header(name))).digest() for name in TOKEN_HEADERS]
    _require(any(hmac.compare_digest(each, expected) for each in sent))
    return None


def _github(secret: str, delivery: Delivery) -> str | None:
    digest = hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    sent = _bytes(delivery.header("X-Hub-Signature-256"))
    _require(hmac.compare_digest(sent, f"sha256={digest}".encode()))
    return delivery.header("X-GitHub-Delivery") or None


def _standard(secret: str, delivery: Delivery) -> str | None:
    name, time = delivery.header("webhook-id"), delivery.header("webhook-timestamp")
    signed = b".".join([_bytes(name), _bytes(time), delivery.body])
    expected = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256))
    sent = [each.partition(",") for each in delivery.header("webhook-signature").split()]
    proven = [
        hmac.compare_digest(_bytes(signature), expected)
        for version, _, signature in sent
        if version == "v1"
    ]
    _require(any(proven) and name != "" and _TIME.fullmatch(time) is not None)
    if abs(delivery.now - int(time)) > TOLERANCE_SECONDS:
        message = f"webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from now"
        raise RefusedError("timestamp_out_of_range", message)
    return name


_SCHEMES: dict[str, Callable[[str, Delivery], str | None]] = {
    "token": _token,
    "github": _github,
    "standard": _standard,
}


def _require(proven: bool) -> None:
    if not proven:
        raise RefusedError("bad_signature", "the sender did not prove that it knows the secret")


def _bytes(header: str) -> bytes:
    """Return a header as it was sent: WSGI has decoded it as latin-1."""
    return header.encode("latin-1", "replace")


def _key(secret: str) -> bytes:
    """Return the key in a secret of Standard Webhooks; raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in _KEY_BYTES:
        least, most = _KEY_BYTES[0], _KEY_BYTES[-1]
        raise ValueError(f"it is no {SECRET_PREFIX} with {least} to {most} bytes in base64")
    return key
