"""The one shape of everything that the API refuses."""

from http import HTTPStatus

import requests


def refused(answer: requests.Response, code: int, reason: str) -> str:
    """Return the message of a refusal that has this code and reason, and the one shape."""
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "title", "message", "reason", "http_request_id"}
    assert (answer.status_code, error["code"], error["reason"]) == (code, code, reason), error
    assert error["title"] == HTTPStatus(code).phrase
    assert error["http_request_id"] == answer.headers["X-Openstack-Request-Id"]
    message: str = error["message"]
    return message
