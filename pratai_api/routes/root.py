"""What the API is, and that it lives."""

from flask import Response

from pratai_api import views
from pratai_api.answers import json_answer

_V1 = views.InterfaceVersion(
    id="v1",
    status="CURRENT",
    min_version="1.0",
    max_version="1.0",
    links=[views.Link(rel="self", href="/v1")],
)


def versions() -> Response:
    """Answer which versions of the interface there are."""
    return json_answer(views.InterfaceVersions(versions=[_V1]))


def version() -> Response:
    """Answer what this version of the interface is."""
    return json_answer(views.ShownVersion(version=_V1))


def healthcheck() -> Response:
    """Answer that this process lives."""
    return Response("OK", mimetype="text/plain")
