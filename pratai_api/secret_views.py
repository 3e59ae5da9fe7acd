"""Secrets as clients see them."""

from typing import Literal

from pratai_api import views


class Secret(views.View, frozen=True, kw_only=True):
    """A secret, without its value."""

    name: str
    project_id: str
    created_at: views.Time


class SecretValue(views.View, frozen=True, kw_only=True):
    """The value of a secret: text, or bytes in ``base64``."""

    name: str
    project_id: str
    value: str
    encoding: Literal["text", "base64"]


class Secrets(views.View, frozen=True, kw_only=True):
    """A page of a project's secrets, by name."""

    secrets: list[Secret]
    next: str | None
