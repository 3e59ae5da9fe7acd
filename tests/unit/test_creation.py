"""Functions and versions whose creation the store did not let end: nobody sees half of one, or
waits for it, and it can be made again. Also where only the store's answer was lost.
"""

import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from pratai_api.routes import functions
from pratai_common.clock import now_ms
from pratai_common.records import Version
from tests.packages import ECHO
from tests.records import function
from tests.unit.api_world import ApiWorld

STEPS = ["create_version", "create_subscription", "create_function", "create_requests"]


def create(api: FlaskClient) -> Any:
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": json.dumps({"name": "a"})}
    return api.post("/v1/functions", data=form)


def upload(api: FlaskClient, function_id: str) -> Any:
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip")}
    return api.patch(f"/v1/functions/{function_id}", data=form)


def unavailable(answer: Any) -> None:
    assert (answer.status_code, answer.json["error"]["reason"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_what_is_half_made_is_not_seen(api_world: ApiWorld, step: str, lost: bool) -> None:
    api = api_world.api
    with api_world.away(step, lost=lost):
        unavailable(create(api))
    assert api.get("/v1/functions").json["functions"] == []
    assert api_world.sent == []
    answer = create(api)
    assert answer.status_code == 201
    assert [each["function_id"] for each in api.get("/v1/functions").json["functions"]] == [
        answer.json["function_id"]
    ]
    assert len(api_world.sent) == 1


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_what_is_half_made_subscribes_to_nothing(
    api_world: ApiWorld, step: str, lost: bool
) -> None:
    with api_world.away(step, lost=lost):
        unavailable(create(api_world.api))
    assert api_world.store.list_subscriptions("webhook") == []
    assert create(api_world.api).status_code == 201
    assert len(api_world.store.list_subscriptions("webhook")) == 1


def test_a_name_that_was_taken_meanwhile_subscribes_to_nothing(
    api_world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(api_world.api).json
    monkeypatch.setattr(functions, "_require_free_name", lambda _function: None)
    answer = create(api_world.api)
    assert (answer.status_code, answer.json["error"]["reason"]) == (409, "name_taken")
    (left,) = api_world.store.list_subscriptions("webhook")
    assert left.function_id == made["function_id"]


def versions(api: FlaskClient, function_id: str) -> list[tuple[str, str | None]]:
    shown = api.get(f"/v1/functions/{function_id}/versions").json["versions"]
    return [(each["status"], each["build_error"]) for each in shown]


FAILED = ("error", "its build could not be recorded")
BUILDING = ("building", None)


@pytest.mark.parametrize(("step", "lost"), [("create_version", True), ("create_requests", False)])
def test_a_version_that_is_half_made_has_failed(api_world: ApiWorld, step: str, lost: bool) -> None:
    api = api_world.api
    function = create(api).json["function_id"]
    with api_world.away(step, lost=lost):
        unavailable(upload(api, function))
    assert versions(api, function) == [BUILDING, FAILED]
    answer = upload(api, function)
    assert (answer.status_code, answer.json["version"]) == (202, 3)
    assert versions(api, function) == [BUILDING, FAILED, BUILDING]


def test_a_version_that_was_not_made_is_not_there(api_world: ApiWorld) -> None:
    """What others have made is left alone."""
    api = api_world.api
    function = create(api).json["function_id"]
    with api_world.away("create_version"):
        unavailable(upload(api, function))
    assert versions(api, function) == [BUILDING]
    assert api.get(f"/v1/functions/{function}").json["status"] == "building"
    assert upload(api, function).json["version"] == 2


def test_zips_are_looked_into_a_few_at_a_time(api_world: ApiWorld) -> None:
    """The others wait, in vain if it takes too long."""
    with api_world.uploads.place():
        answers = [create(api_world.api)]
    made = create(api_world.api)
    assert made.status_code == 201
    with api_world.uploads.place():
        answers.append(upload(api_world.api, made.json["function_id"]))
    for answer in answers:
        assert (answer.status_code, answer.json["error"]["reason"]) == (503, "busy")
        message = "too many callers wait for uploads here already"
        assert answer.json["error"]["message"] == message
        assert answer.headers["Retry-After"] == "1"
    assert upload(api_world.api, made.json["function_id"]).status_code == 202


@pytest.mark.parametrize("path", ["", "/versions"])
def test_a_build_that_nobody_recorded_is_submitted_by_who_looks(
    api_world: ApiWorld, path: str
) -> None:
    """The API process died between the version and its build. The control: a version that another
    process may be about to submit.
    """
    old, new = now_ms() - 60_000, now_ms()
    for number, created_at in ((1, old), (2, new)):
        named = function(number, project_id="default", created_at=created_at)
        api_world.store.create_function(named)
        api_world.store.create_version(
            Version(
                function_id=named.function_id,
                number=1,
                project_id="default",
                runtime="python3",
                archive_sha256="s",
                size=1,
                build_request_id=f"build of {named.function_id}",
                created_at=created_at,
            )
        )
        for _ in range(2):
            assert api_world.api.get(f"/v1/functions/{named.function_id}{path}").status_code == 200
    assert [each.request.request_id for each in api_world.sent] == ["build of f1"]
    (sent,) = api_world.sent
    build = api_world.store.get_requests(["build of f1"])["build of f1"]
    assert (build.kind, build.version, build.user_id) == ("build", 1, "u")
    assert sent.request == build
