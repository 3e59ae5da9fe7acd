"""Functions as folders: each is built, called with its payloads, and must answer as it says.

What a folder holds: doc/source/contributor/testing.rst. Each runs twice: with requests that are
recorded and read back, and with calls that wait for the result.
"""

import json
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from tests.packages import zipped
from tests.stack import Stack
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
CASES = "cases.json"
SETTINGS = "function.json"
FOLDERS = [
    *sorted(path for path in (ROOT / "tests/integration/functions").iterdir() if path.is_dir()),
    *sorted(path.parent for path in ROOT.glob(f"examples/*/{CASES}")),
]


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes in, and all that comes of it; ``log`` is looked at where a case has one."""

    payload: Any = None
    status: str = "success"
    reason: str | None = None
    message: str | None = None
    result: Any = None
    log: list[str] | None = None


@cache
def package(folder: Path) -> bytes:
    """Return a folder's zip, which is built once: all but what is written for this test."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    content: dict[str, str | bytes] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.name not in (CASES, SETTINGS) and "__pycache__" not in path.parts
    }
    return zipped(content)


def settings(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    return dict(json.loads(path.read_text())) if path.exists() else {}


def text(value: Any) -> str:
    """Return a value as JSON, which tells false from 0 and 1 from 1.0."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False)


def recorded(stack: Stack, function: str, case: Case) -> dict[str, Any]:
    """Return the request that a case made, as it ended."""
    return stack.ended(stack.submit(function, case.payload))


def waited_for(stack: Stack, function: str, case: Case) -> dict[str, Any]:
    """Return the same by a call whose answer must agree with the record."""
    answer = stack.call("POST", f"/v1/functions/{function}", json={"payload": case.payload})
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert (answer.status_code, error["reason"]) == (502, case.reason), error
        assert error["message"] == case.message
    else:
        assert text(answer.json()) == text(case.result)
    return _behind(stack, answer)


def _behind(stack: Stack, answer: requests.Response) -> dict[str, Any]:
    """Return the record of a call, which is written behind its answer."""
    path = f"/v1/requests/{answer.headers['X-Pratai-Request-Id']}?include=payload"

    def look() -> dict[str, Any] | None:
        shown = stack.call("GET", path)
        return dict(shown.json()) if shown.ok else None

    return until(look, "the call is recorded") or {}


CALLS = {"async": recorded, "wait_for_response": waited_for}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_it_answers_as_it_says(stack: Stack, folder: Path, kind: str) -> None:
    cases = msgspec.json.decode((folder / CASES).read_bytes(), type=dict[str, Case])
    assert cases
    name = f"{folder.name}-{uuid.uuid4().hex[:8]}"
    function = stack.function(package(folder), name=name, type=kind, **settings(folder))
    for title, case in cases.items():
        request = CALLS[kind](stack, function, case)
        seen = {field: request[field] for field in Case.__struct_fields__ if field != "log"}
        if case.log is not None:
            seen["log"] = stack.logs(request["request_id"]).splitlines()
        assert text(Case(**seen)) == text(case), title
