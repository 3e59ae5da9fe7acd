"""Secrets: their names, and their values to who may have them."""

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from flask import Response

from pratai_api import answers, caller, schemas, secret_views, views
from pratai_api.answers import Answer, json_answer
from pratai_api.arguments import json_body, query
from pratai_api.errors import ApiError
from pratai_api.secret_stores.base import (
    Right,
    RightRevokedError,
    SecretForbiddenError,
    SecretInfo,
    SecretMissingError,
    SecretRefusedError,
    SecretStore,
    SecretsUnavailableError,
)
from pratai_api.services import services
from pratai_common import limits

LOG = logging.getLogger(__name__)


def index() -> Response:
    """Answer the names of the project's secrets, never a value."""
    asked = query(schemas.PageQuery)
    with _asking() as secrets:
        found = secrets.list(_right())
    shown, following = answers.part(found, asked, lambda each: each.name)
    return json_answer(
        secret_views.Secrets(secrets=[_view(each) for each in shown], next=following)
    )


def create() -> Response:
    """Keep a secret: a new one, or the new value of the one that has its name."""
    asked = json_body(schemas.SecretPut)
    value = _bytes(asked)
    if len(value) > limits.MAX_SECRET_BYTES:
        message = f"the value has {len(value)} bytes, {limits.MAX_SECRET_BYTES} are allowed"
        raise ApiError(413, "too_large", message)
    with _asking() as secrets:
        return json_answer(_view(secrets.put(_right(), asked.name, value)), 201)


def show(name: str) -> Response:
    """Answer the value of a secret."""
    with _asking() as secrets:
        right = _right()
        value = secrets.get(right, name)
    text, encoding = _shown(value)
    answer = json_answer(
        secret_views.SecretValue(
            name=name, project_id=right.project_id, value=text, encoding=encoding
        )
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def delete(name: str) -> Response:
    """Delete a secret. Functions that need it end with ``secret_unavailable`` from then on."""
    with _asking() as secrets:
        secrets.delete(_right(), name)
    return Answer(status=204)


@contextmanager
def _asking() -> Iterator[SecretStore]:
    """Give the store of secrets to no more callers at a time than may wait for it, and answer what
    it raises to who calls; raises ApiError.
    """
    with services().secret_waits.place(), _refusals():
        yield services().secrets


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except SecretMissingError as error:
        raise ApiError(404, "secret_not_found", str(error)) from error
    except SecretForbiddenError as error:
        raise ApiError(403, "forbidden", str(error)) from error
    except RightRevokedError as error:
        raise ApiError(401, "unauthenticated", str(error)) from error
    except SecretRefusedError as error:
        raise ApiError(409, "secret_refused", str(error)) from error
    except SecretsUnavailableError as error:
        LOG.error("the secrets are unavailable: %s", error)
        message = "where secrets are kept does not answer; it is not known whether it was done"
        raise ApiError(503, "secret_unavailable", message, {"Retry-After": "1"}) from error


def _right() -> Right:
    who = caller.current()
    return Right(who.project_id, who.token)


def _bytes(asked: schemas.SecretPut) -> bytes:
    """Return a value as it was meant; raises ApiError."""
    if asked.encoding == "text":
        return asked.value.encode()
    try:
        value = base64.b64decode(asked.value, validate=True)
    except ValueError as error:
        raise ApiError(400, "invalid", f"the value is no base64: {error}") from error
    if not value:
        raise ApiError(400, "invalid", "the value is empty")
    return value


def _shown(value: bytes) -> tuple[str, Literal["text", "base64"]]:
    """Return a value as JSON can have it."""
    try:
        return value.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(value).decode(), "base64"


def _view(info: SecretInfo) -> secret_views.Secret:
    project_id = caller.current().project_id
    return secret_views.Secret(
        name=info.name, project_id=project_id, created_at=views.time(info.created_at)
    )
