"""What the API refuses when as many requests wait as may: before anything is written, and why.
What was promised is taken all the same, and nobody else is kept from running.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_api.auth import NoAuth
from pratai_api.caller import Caller
from pratai_common.admission import Admission, Bounds
from pratai_common.clock import now_ms
from pratai_common.records import (
    Event,
    FunctionStatus,
    Request,
    Status,
    Subscription,
)
from pratai_common.store.base import Changed, Page, RequestChange, RequestFilter, Waiting
from tests.contract.store.records import version
from tests.packages import ECHO
from tests.records import function
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai, served

PROJECT = 3
TO_STRANGERS = "the project's quota of queued_requests is 3"
OF_PROJECT = f"{TO_STRANGERS}, of which 3 are used"
OF_ALL = "of all projects 5 requests wait, and 5 may"
LARGE = "x" * 100_000
KEY = {"Idempotency-Key": "k"}


class Tenants(NoAuth):
    """Whoever says so in a header is the project ``q``."""

    def identify(self, environ: dict[str, Any]) -> Caller:
        project = environ.get("HTTP_X_PROJECT", "p")
        return Caller(project, "u", lambda _rule, project_id: project_id == project)


class Full:
    """An API whose function ``f1``, of the project ``p``, has as many requests as may wait."""

    def __init__(self, folder: Path) -> None:
        self.admission = Admission(Bounds(project=PROJECT, total=5))
        self.world = ApiWorld(folder, Tenants(), admission=self.admission)
        self.api = self.world.api
        self.archives = folder / "archives"
        ready = {"status": FunctionStatus.ACTIVE, "version": 1}
        for number, project in ((1, "p"), (2, "q"), (3, "p")):
            kind = "wait_for_response" if number == 3 else "async"
            self.world.store.create_function(
                function(number, project_id=project, type=kind, **ready)
            )
            self.world.store.create_version(version(1, function_id=f"f{number}"))
        self.ended = self.call().json["request_id"]
        self.end(self.ended)
        self.count()
        self.accepted = [self.call(payload=number) for number in range(PROJECT)]

    def call(
        self,
        number: int = 1,
        payload: Any = 0,
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> Any:
        body = {"payload": payload}
        return self.api.post(f"/v1/functions/f{number}{query}", json=body, headers=headers)

    def of_q(self) -> Any:
        return self.call(2, headers={"X-Project": "q"})

    def event(self, name: str = "e", subscribers: int = 1) -> str:
        """Return the path of an event to which functions of ``p`` subscribe."""
        now = now_ms()
        event = Event(
            event_id=name, project_id="p", user_id="u", name=name, created_at=now, updated_at=now
        )
        self.world.store.create_event(event)
        for number in range(subscribers):
            made = function(100 + number, status=FunctionStatus.ACTIVE, version=1)
            self.world.store.create_function(made)
            self.subscribe(made.function_id, "message", name)
        return f"/v1/events/{name}"

    def subscribe(self, function_id: str, kind: Any, event_id: str | None = None) -> None:
        self.world.store.create_subscription(
            Subscription(
                subscription_id=f"{function_id} {kind}",
                function_id=function_id,
                project_id="p",
                user_id="u",
                kind=kind,
                event_id=event_id,
                created_at=1,
            )
        )

    def end(self, request_id: str) -> None:
        def ended(old: Request) -> Changed:
            return Changed(replace(old, status=Status.SUCCESS, finished_at=now_ms()))

        self.world.store.change_requests([RequestChange(request_id, ended)])

    def count(self) -> None:
        """Be the thread that counts."""
        self.admission.begin_count()
        self.admission.end_count(self.world.store.count_waiting(), 1)

    def make_room(self) -> None:
        for each in self.accepted:
            self.end(each.json["request_id"])
        self.count()

    def kept(self) -> tuple[Any, ...]:
        """Return all that was written, and what the scheduler was told of."""
        store, page = self.world.store, Page(1000)
        return (
            store.list_requests(None, RequestFilter(), page),
            [store.list_versions(f"f{number}") for number in (1, 2, 3)],
            self.api.get("/v1/functions").json,
            sorted(self.archives.rglob("*")),
            list(self.world.sent),
        )


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Full]:
    made = Full(tmp_path)
    yield made
    made.world.close()


def refusal(answer: Any) -> tuple[int, str, str, str]:
    error = answer.json["error"]
    return answer.status_code, error["reason"], error["message"], answer.headers["Retry-After"]


def upload(full: Full, **metadata: str) -> Any:
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": json.dumps(metadata)}
    return full.api.post("/v1/functions", data=form)


def upload_again(full: Full) -> Any:
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": json.dumps({"memory": 256})}
    return full.api.patch("/v1/functions/f1", data=form)


ASKED: dict[str, tuple[Callable[[Full], Any], int]] = {
    "call": (lambda full: full.call(payload=LARGE), 202),
    "call that is waited for": (lambda full: full.call(query="?wait=0.1"), 202),
    "call under a key": (lambda full: full.call(3, query="?wait=0.1", headers=KEY), 202),
    "webhook": (lambda full: full.api.post("/v1/hooks/t", data=LARGE), 202),
    "publication": (lambda full: full.api.post("/v1/events/e", json=LARGE), 202),
    "replay": (lambda full: full.api.post(f"/v1/requests/{full.ended}/replay"), 202),
    "new function": (lambda full: upload(full, name="new"), 201),
    "new version": (upload_again, 202),
}
"""Ways to have something queued, and what is answered where there is room."""


@pytest.mark.parametrize("name", ASKED)
def test_what_is_too_much_is_refused_before_it_is_written(full: Full, name: str) -> None:
    ask, code = ASKED[name]
    full.event()
    full.subscribe("f1", "webhook")
    full.world.store.change_function(
        "f1", lambda old: replace(old, public=True, endpoint_token="t")
    )
    before = full.kept()
    assert [each.status_code for each in full.accepted] == [202] * PROJECT
    told = TO_STRANGERS if name == "webhook" else OF_PROJECT
    assert refusal(ask(full)) == (429, "throttled", told, "1")
    assert full.kept() == before
    assert full.of_q().status_code == 202
    assert len(full.world.sent) == len(before[-1]) + 1
    full.make_room()
    assert ask(full).status_code == code


def test_all_projects_together_have_a_quota(full: Full) -> None:
    assert [full.of_q().status_code for _ in range(2)] == [202] * 2
    before = full.kept()
    assert refusal(full.of_q()) == (503, "busy", OF_ALL, "1")
    assert refusal(full.call())[:3] == (429, "throttled", OF_PROJECT)
    assert full.kept() == before
    full.make_room()
    assert full.of_q().status_code == 202


def test_all_that_is_published_at_once_is_taken_or_nothing(full: Full) -> None:
    path = full.event(subscribers=4)
    full.make_room()
    assert full.call().status_code == 202
    before = full.kept()
    taken: Any = full.api.post(path, json=1)
    assert (taken.status_code, len(taken.json["request_ids"])) == (202, 4)
    message = "the project's quota of queued_requests is 3, of which 5 are used"
    assert refusal(full.api.post(path, json=2)) == (429, "throttled", message, "1")
    assert len(full.kept()[0]) == len(before[0]) + 4


def test_the_same_key_is_the_same_request_again(full: Full) -> None:
    """It was let in when it came first. What else comes under keys is refused, and not kept."""
    full.make_room()
    first = full.call(headers=KEY)
    assert first.status_code == 202
    assert [full.call().status_code for _ in range(2)] == [202] * 2
    before = full.kept()
    again = full.call(headers=KEY)
    assert (again.status_code, again.json) == (202, first.json)
    reused = full.call(payload="other", headers=KEY)
    assert (reused.status_code, reused.json["error"]["reason"]) == (422, "idempotency_key_reused")
    other = full.call(payload=LARGE, headers={"Idempotency-Key": "other"})
    assert refusal(other) == (429, "throttled", OF_PROJECT, "1")
    assert full.kept() == before


def test_a_synchronous_call_does_not_wait_in_the_store(full: Full) -> None:
    """It goes to the scheduler, which does not take it here. Where its wait is over it was promised
    to run on.
    """
    before = len(full.world.sent)
    answer = full.call(3)
    assert (answer.status_code, answer.json["error"]["reason"]) == (503, "node_lost")
    (call,) = full.world.sent[before:]
    assert not call.recorded
    services = full.api.application.extensions["pratai"]
    owner = full.world.store.get_functions(["f3"])["f3"]
    assert services.submitter.record_call(call, owner).new
    stored = full.world.store.get_requests([call.request.request_id])
    assert [each.status for each in stored.values()] == [Status.RUNNING]


def test_what_may_be_asked_though_nothing_is_taken(full: Full) -> None:
    """Nobody needs room to read, to cancel, or to change a setting."""
    identity = full.accepted[0].json["request_id"]
    assert full.api.get(f"/v1/requests/{identity}").status_code == 200
    assert full.api.delete(f"/v1/requests/{identity}").status_code == 202
    assert full.api.patch("/v1/functions/f1", json={"memory": 256}).status_code == 200


def test_the_command_says_so_plainly(
    full: Full, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And when to come back; it does not try again by itself."""
    pratai = Pratai(capsys)
    calls: list[str] = []
    application, answer = full.api.application, full.api.application.wsgi_app

    def counted(environ: dict[str, Any], start: Any) -> Any:
        calls.append(environ["REQUEST_METHOD"])
        return answer(environ, start)

    monkeypatch.setattr(application, "wsgi_app", counted)
    monkeypatch.setenv("no_proxy", "*")
    with served(application) as url:
        monkeypatch.setenv("OS_PRATAI_URL", url)
        code, said = pratai.refused("function-execute", "f1", "--payload", "1")
        assert calls.count("POST") == 1
        assert (code, said.partition(" (HTTP ")[0]) == (4, OF_PROJECT)
        assert re.fullmatch(r"429, req-[0-9a-f-]+\); try again in 1 s", said.partition("(HTTP ")[2])
        assert [full.of_q().status_code for _ in range(2)] == [202] * 2
        full.admission.begin_count()
        full.admission.end_count(Waiting(5, {"q": 3, "r": 2}), 1)
        code, said = pratai.refused("function-execute", "f1", "--payload", "1")
        assert (code, said.partition(" (HTTP ")[0]) == (5, OF_ALL)
        assert said.endswith("; try again in 1 s")
        full.make_room()
        ran = pratai("function-execute", "f1", "--payload", "1")
        assert (ran.code, ran.err) == (0, "")
