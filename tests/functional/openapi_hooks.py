"""What schemathesis is told of the API that its OpenAPI document does not say, and all that is left
out of its tests, each with the reason. ``test_openapi.py`` has it loaded.
"""

import io
import itertools
import re
import zipfile
from typing import Any, NamedTuple

import msgspec
import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from pratai_api import schemas
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
_SUBSCRIPTIONS = "/v1/functions/{function_id}/subscriptions"
_RULE = "a rule between two fields, which the shapes do not declare"
EXCLUSIONS = [
    Exclusion(_POSITIVE, 400, " go together", _RULE),
    Exclusion(_POSITIVE, 400, "a timer has either frequency or cron", _RULE),
    Exclusion(_POSITIVE, 400, " goes with kind ", _RULE),
    Exclusion(_POSITIVE, 400, "goes with cron only", _RULE),
    Exclusion(_POSITIVE, 400, "go with event timer only", _RULE),
    Exclusion(_POSITIVE, 400, "goes with event message or response only", _RULE),
    Exclusion(_POSITIVE, 400, "goes with event webhook only", _RULE),
    Exclusion(_POSITIVE, 400, "goes with type async only", _RULE),
    Exclusion(_POSITIVE, 400, "an event has no outcome", _RULE),
    Exclusion(_POSITIVE, 400, "auth_secret", _RULE),
    Exclusion(_POSITIVE, 400, "settings of a ", "which settings there are depends on the source"),
    Exclusion(_POSITIVE, 400, " event has no password", _RULE),
    Exclusion(_POSITIVE, 400, "other settings need the password anew", _RULE),
    Exclusion(_POSITIVE, 400, '"message":"cron: ', "what a cron expression is, no pattern says"),
    Exclusion(_POSITIVE, 400, '"message":"filter: ', "what a filter is, no pattern says"),
    Exclusion(_POSITIVE, 400, "not_before is more than", "the moments that are allowed move on"),
    Exclusion(_POSITIVE, 400, "expires_at has passed", "the moments that are allowed move on"),
    Exclusion(_POSITIVE, 400, "RFC3339", "a leap second, or the year 0"),
    Exclusion(_POSITIVE, 400, ": time: ", "a leap second, or the year 0", "/v1/events/"),
    Exclusion(_POSITIVE, 413, "the attributes are larger", "their number is not bounded"),
    Exclusion(_POSITIVE, 400, "is a reserved name", "the pattern of names allows it"),
    Exclusion(_POSITIVE, 400, "got `float`", "1.0 is an integer to JSON Schema alone"),
    Exclusion(_POSITIVE, 400, "the marker names nothing", "a marker is an id once answered"),
    Exclusion(_POSITIVE, 400, "needs an auth_secret", _RULE),
    Exclusion(_POSITIVE, 400, "auth_secret goes with auth", _RULE),
    Exclusion(_POSITIVE, 400, "auth_secret does not go with auth", _RULE),
    Exclusion(_POSITIVE, 400, " has a file and a variable", _RULE),
    Exclusion(_POSITIVE, 400, "several secrets have the ", _RULE),
    Exclusion(_POSITIVE, 400, " is a variable and a secret's", _RULE),
    Exclusion(_POSITIVE, 400, "the value is ", "what base64 is, no pattern says", "/v1/secrets"),
    Exclusion(_POSITIVE, 413, "the value has ", "bytes are no characters", "/v1/secrets"),
    Exclusion(_POSITIVE, 400, "is no public key", "what a key is, no pattern says", "/v1/node/"),
    Exclusion(_POSITIVE, 429, "rate_limit is ", "so often it may not be called"),
    Exclusion(_POSITIVE, 422, "was used with another body", "a key stands for one body"),
    Exclusion("not_a_server_error", 502, '"reason":"cancelled"', "so a cancelled call ends"),
    Exclusion(
        "not_a_server_error",
        502,
        '"reason":"secret_unavailable"',
        "so a call ends of a function that names a secret which is not there",
    ),
    Exclusion("use_after_free", 200, "", "DELETE cancels: the record stays", "/v1/requests/"),
    Exclusion("use_after_free", 202, "", "DELETE cancels: the record stays", "/v1/requests/"),
    Exclusion(
        "ensure_resource_availability",
        404,
        "the function has no version",
        "what is not found is the version that the body names",
    ),
    Exclusion(
        "ensure_resource_availability",
        404,
        "the project has no ",
        "what is not found is the event or function that the body names",
    ),
]
LEFT_OUT = {
    "GET /v1/openapi.json": "it gives schemathesis the document itself",
    f"GET {_LOGS}?follow=true": "the log of a request that waits for good is followed for an hour",
    "?wait= more than a second": "whoever waits for what waits for good, waits for a minute",
    "trust": "this stack asks no Keystone: no function could be made that is to have one",
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
        if isinstance(settings, dict) and case.path.startswith(("/v1/functions", "/v1/events")):
            _alter(settings, case.method)
    if case.path == _SUBSCRIPTIONS and case.method == "POST":
        _make_possible(body, case.path_parameters.get("function_id"))


def _make_possible(subscription: dict[str, Any], function_id: Any) -> None:
    """Let a function follow itself, and a timer have one rhythm: of what is generated hardly any
    could be, and then what can be done with a subscription would not be tried.
    """
    kind, named = subscription.get("kind"), subscription.get("event_id")
    if kind == "response" and isinstance(named, str) and 0 < len(named) <= 64:
        subscription["event_id"] = function_id
    rhythms = (subscription.get("frequency"), subscription.get("cron"))
    if kind == "timer" and isinstance(rhythms[0], float | int) and isinstance(rhythms[1], str):
        del subscription["cron"]


def _is_trust(value: Any) -> bool:
    """Say whether a value is of the shape that is documented."""
    try:
        msgspec.convert(value, schemas.TrustWanted)
    except msgspec.ValidationError:
        return False
    return True


def _alter(settings: dict[str, Any], method: str) -> None:
    if settings.get("memory") == limits.MAX_MEMORY_MB:
        settings["memory"] = limits.MAX_MEMORY_MB - 1
    if "trust" in settings and _is_trust(settings["trust"]):
        del settings["trust"]
    name = settings.get("name")
    if method == "POST" and isinstance(name, str) and _short_name(name):
        settings["name"] = f"{name}-{next(_numbers)}"
