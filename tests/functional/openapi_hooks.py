"""What schemathesis is told of the API that its OpenAPI document does not say, and all that is left
out of its tests, each with the reason. ``test_openapi.py`` has it loaded.
"""

import io
import itertools
import re
import zipfile
from typing import Any, NamedTuple

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from pratai_common import limits


class Exclusion(NamedTuple):
    """An answer that a check takes for a failure: found by the check, the answer's code, a part of
    its text, and how the operation's path begins.
    """

    check: str
    code: int
    text: str
    reason: str
    path: str = "/"


_POSITIVE = "positive_data_acceptance"
_LOGS = "/v1/requests/{request_id}/logs"
_RULE = "a rule between two fields, which the shapes do not declare"
EXCLUSIONS = [
    Exclusion(_POSITIVE, 400, "event timer and frequency go together", _RULE),
    Exclusion(_POSITIVE, 400, "a timer, and nothing else, has a frequency", _RULE),
    Exclusion(_POSITIVE, 400, "goes with event webhook only", _RULE),
    Exclusion(_POSITIVE, 400, "is a reserved name", "the pattern of names allows it"),
    Exclusion(_POSITIVE, 400, "got `float`", "1.0 is an integer to JSON Schema alone"),
    Exclusion(_POSITIVE, 400, "the marker names nothing", "a marker is an id once answered"),
    Exclusion(_POSITIVE, 422, "was used with another body", "a key stands for one body"),
    Exclusion("not_a_server_error", 502, '"reason":"cancelled"', "so a cancelled call ends"),
    Exclusion("use_after_free", 200, "", "DELETE cancels: the record stays", "/v1/requests/"),
    Exclusion("use_after_free", 202, "", "DELETE cancels: the record stays", "/v1/requests/"),
    Exclusion(
        "ensure_resource_availability",
        404,
        "the function has no version",
        "what is not found is the version that the body names",
    ),
]
LEFT_OUT = {
    "GET /v1/openapi.json": "it gives schemathesis the document itself",
    f"GET {_LOGS}?follow=true": "the log of a request that waits for good is followed for an hour",
    "?wait= more than a second": "whoever waits for what waits for good, waits for a minute",
    f'"memory": {limits.MAX_MEMORY_MB}': "no node of the stack has so much: that waits for good",
}


def _package(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("new_module.py")
        entry.external_attr = 0o444 << 16
        archive.writestr(entry, f"def main(payload=None):\n    return payload  # {number}\n")
    return buffer.getvalue()


# A file in a form is a function's zip: the document says no more than "a file". It is of ASCII
# characters alone, hence also the string that JSON Schema takes a file for.
_packages = (_package(number) for number in itertools.count())
_zip = next(content for content in _packages if content.isascii()).decode()
schemathesis.openapi.format("binary", strategies.just(_zip))

_short_name = re.compile("[A-Za-z][A-Za-z0-9_-]{0,40}").fullmatch
_numbers = itertools.count()


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Keep a failure unless it is an exclusion."""
    return not any(
        each.check in failure.checks
        and each.code == response.status_code
        and each.text in response.text
        and case.path.startswith(each.path)
        for each in EXCLUSIONS
    )


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Leave out what is to be left out, and give new functions names of their own: where a name is
    taken nothing else is looked at, and a call that is made once more would be answered otherwise.
    """
    if case.path == _LOGS and case.query.get("follow") in (True, "true"):
        del case.query["follow"]
    wait = case.query.get("wait")
    if isinstance(wait, int | float) and wait > 1:
        case.query["wait"] = 1
    body = case.body if isinstance(case.body, dict) else {}
    for settings in (body, body.get("metadata")):
        if isinstance(settings, dict) and case.path.startswith("/v1/functions"):
            _alter(settings, case.method)


def _alter(settings: dict[str, Any], method: str) -> None:
    if settings.get("memory") == limits.MAX_MEMORY_MB:
        settings["memory"] = limits.MAX_MEMORY_MB - 1
    name = settings.get("name")
    if method == "POST" and isinstance(name, str) and _short_name(name):
        settings["name"] = f"{name}-{next(_numbers)}"
