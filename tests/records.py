"""Makes the records that tests work with: every field has a value, each may be another."""

from typing import Any

from pratai_common.records import Attempt, Function, Request


def function(number: int = 1, **values: Any) -> Function:
    given: dict[str, Any] = {
        "function_id": f"f{number}",
        "project_id": "p",
        "user_id": "u",
        "name": f"name{number}",
        "created_at": number,
        "updated_at": number,
        **values,
    }
    return Function(**given)


def request(number: int = 1, **values: Any) -> Request:
    given: dict[str, Any] = {
        "request_id": f"r{number:03}",
        "function_id": "f1",
        "project_id": "p",
        "user_id": "u",
        "source": "http",
        "created_at": number,
        "expires_at": 10**6,
        "next_run_at": number,
        **values,
    }
    return Request(**given)


def attempt(number: int = 1, **values: Any) -> Attempt:
    given: dict[str, Any] = {"number": number, "node": "n", "epoch": 1, "started_at": 1, **values}
    return Attempt(**given)
