"""What the API is, and that it lives."""

from flask import Response, request

from pratai_api import cluster_views
from pratai_api.answers import json_answer
from pratai_api.errors import ApiError
from pratai_api.services import services

_V1 = cluster_views.InterfaceVersion(
    id="v1",
    status="CURRENT",
    min_version="1.0",
    max_version="1.0",
    links=[cluster_views.Link(rel="self", href="/v1")],
)


def versions() -> Response:
    """Answer which versions of the interface there are."""
    return json_answer(cluster_views.InterfaceVersions(versions=[_V1]))


def version() -> Response:
    """Answer what this version of the interface is."""
    return json_answer(cluster_views.ShownVersion(version=_V1))


def healthcheck() -> Response:
    """Answer that this process lives, and that nothing speaks against sending it requests."""
    ailments = services().ailments(int(request.environ["SERVER_PORT"]))
    if ailments:
        raise ApiError(503, "unhealthy", "; ".join(ailments))
    return Response("OK", mimetype="text/plain")
