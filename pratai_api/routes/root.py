"""What the API is, and that it lives."""

from flask import Response

from pratai_api.answers import json_answer


def versions() -> Response:
    """Answer which versions of the interface there are."""
    version = {"id": "v1", "status": "CURRENT", "min_version": "1.0", "max_version": "1.0"}
    return json_answer({"versions": [{**version, "links": [{"rel": "self", "href": "/v1/"}]}]})


def healthcheck() -> Response:
    """Answer that this process lives."""
    return Response("OK", mimetype="text/plain")
