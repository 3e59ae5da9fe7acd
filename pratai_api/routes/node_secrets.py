"""What a node asks for a run: the function's secrets, and a token of its owner's.

The address is signed for one function and request, and the claim says whose attempt it is; what
goes out is sealed to that node. So nobody on the way reads it, nor another node.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, request

from pratai_api import function_rights, schemas
from pratai_api.arguments import query
from pratai_api.errors import ApiError
from pratai_api.routes.node import claimed
from pratai_api.secret_stores.base import (
    Right,
    RightRevokedError,
    SecretError,
    SecretRefusedError,
    SecretsUnavailableError,
)
from pratai_api.services import services
from pratai_api.trusts import TrustRevokedError, TrustsUnavailableError
from pratai_common import envelopes, provisions
from pratai_common.envelopes import EnvelopeError
from pratai_common.errors import Reason
from pratai_common.messages import AttemptMessage
from pratai_common.node_urls import CLAIM_HEADER, KEY_HEADER
from pratai_common.provisions import Delegated, GivenSecret, Provisions
from pratai_common.records import Function


def give() -> Response:
    """Answer what a function needs beside its code, to the node that has an attempt of it now."""
    claim = claimed()
    function, key = _function(claim), _key(claim)
    with _withheld():
        given = Provisions(secrets=_secrets(function), identity=_identity(function))
    sealed = _sealed(provisions.encode(given), key)
    answer = Response(sealed, mimetype="application/octet-stream")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _function(claim: AttemptMessage) -> Function:
    """Return whose attempt it is, if it is not over; raises ApiError."""
    asked = query(schemas.SecretsQuery)
    opens = services().urls.opens_secrets
    if not opens(asked.function_id, claim.request_id, asked.expires, asked.signature):
        raise ApiError(403, "signature_invalid", "this address was not made here")
    if asked.expires * 1000 <= services().clock():
        raise ApiError(403, "signature_expired", "this address is no longer valid")
    # A call whose caller waits may be in no record yet.
    known = services().store.get_requests([claim.request_id]).get(claim.request_id)
    if known is not None and (known.status.final or known.attempt > claim.attempt):
        raise ApiError(403, "attempt_over", "this attempt is not the current one any more")
    function = services().store.get_functions([asked.function_id]).get(asked.function_id)
    if function is None or function.deleted_at is not None:
        message = "the function is deleted"
        raise ApiError(409, Reason.SECRET_UNAVAILABLE, message)
    return function


def _secrets(function: Function) -> tuple[GivenSecret, ...]:
    trust = function.trust
    grant = None if trust is None else function_rights.grant_of(trust)
    right = Right(function.project_id, grant=grant)
    names = sorted({each.name for each in function.secrets})
    if names and services().secrets.needs_trust and trust is None:
        raise RightRevokedError("nobody has given the function a right to read its secrets")
    values = services().secrets.get_each(right, names) if names else {}
    for each in function.secrets:
        if each.environment is not None:
            _require_text(each.name, values[each.name])
    return tuple(
        GivenSecret(
            name=each.name, value=values[each.name], file=each.file, environment=each.environment
        )
        for each in function.secrets
    )


def _require_text(name: str, value: bytes) -> None:
    """Refuse to give what no variable can have; raises SecretRefusedError."""
    try:
        sound = "\0" not in value.decode()
    except UnicodeDecodeError:
        sound = False
    if not sound:
        raise SecretRefusedError(f"the secret {name} is no text, and can be in a file alone")


def _identity(function: Function) -> Delegated | None:
    if function.trust is None or not function.trust.asked:
        return None
    trusts = services().trusts
    if trusts is None:
        raise TrustRevokedError("this installation asks no Keystone any more")
    return trusts.act(function_rights.grant_of(function.trust))


def _key(claim: AttemptMessage) -> bytes:
    """Return the node's own key, or the one that it sends where nodes have none; raises ApiError.

    Before anything is asked for: a key that is taken away meanwhile is no reason for another.
    """
    own = services().node_key(claim.node)
    if own is not None:
        return own
    try:
        return base64.b64decode(request.headers.get(KEY_HEADER, ""), validate=True)
    except ValueError as error:
        raise _no_key() from error


def _sealed(content: bytes, key: bytes) -> bytes:
    try:
        return envelopes.seal(content, key, request.headers[CLAIM_HEADER].encode())
    except EnvelopeError as error:
        raise _no_key() from error


def _no_key() -> ApiError:
    return ApiError(400, "invalid", f"{KEY_HEADER} is no public key")


@contextmanager
def _withheld() -> Iterator[None]:
    """Answer why a function is not given what it needs, as its result will say, to no more nodes at
    a time than may wait for it; raises ApiError.
    """
    try:
        with _place():
            yield
    except (RightRevokedError, TrustRevokedError) as error:
        raise ApiError(409, Reason.IDENTITY_REVOKED, str(error)) from error
    except (SecretsUnavailableError, TrustsUnavailableError) as error:
        headers = {"Retry-After": "1"}
        raise ApiError(503, Reason.SECRET_UNAVAILABLE, str(error), headers) from error
    except SecretError as error:
        raise ApiError(409, Reason.SECRET_UNAVAILABLE, str(error)) from error


@contextmanager
def _place() -> Iterator[None]:
    """Hold a place among those who wait; raises SecretsUnavailableError: it is for others that are
    not answered that there is none.
    """
    waits = services().secret_waits
    try:
        waits.enter()
    except ApiError as error:
        raise SecretsUnavailableError(error.message) from error
    try:
        yield
    finally:
        waits.leave()
