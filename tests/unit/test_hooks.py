"""The public endpoint: bodies, senders, verification, rates, and what functions answer there."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_api.caller import Caller
from pratai_api.errors import ApiError
from pratai_common.clock import now_ms
from pratai_common.messages import Submitted
from pratai_common.records import Body, FunctionStatus, ResponseHead, Status, Subscription
from pratai_common.sealing import Sealer
from pratai_common.store.base import Changed, Page, RequestChange, RequestFilter
from tests.archives import KEY
from tests.records import function
from tests.unit.api_world import ApiWorld

SECRET = "It's a Secret to Everybody"
KEY_TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_numbers = itertools.count(1)
BAD = ("bad_signature", "the sender did not prove that it knows the secret")


class Hook:
    """A public function and its endpoint, in an API that other tests use too."""

    def __init__(self, world: ApiWorld, **settings: Any) -> None:
        self.world = world
        number = next(_numbers)
        self.function = f"f{number}"
        self.path = f"/v1/hooks/t{number}"
        if "auth_secret" in settings:
            settings["auth_secret"] = Sealer(KEY, "hook").seal(settings["auth_secret"])
        ready = {"project_id": "default", "status": FunctionStatus.ACTIVE, "version": 1}
        endpoint = {"public": True, "endpoint_token": f"t{number}"}
        world.store.create_function(function(number, **ready, **endpoint, **settings))
        world.store.create_subscription(
            Subscription(
                subscription_id=f"s{number}",
                function_id=self.function,
                project_id="default",
                user_id="u",
                kind="webhook",
                created_at=1,
            )
        )

    def post(self, query: str = "", **sent: Any) -> Any:
        return self.world.api.post(self.path + query, **sent)

    def get(self, query: str = "", **sent: Any) -> Any:
        return self.world.api.get(self.path + query, **sent)

    def call(self) -> Any:
        """Call the function by its id."""
        return self.world.api.post(f"/v1/functions/{self.function}", json={"payload": 1})

    def shown(self) -> Any:
        return self.world.api.get(f"/v1/functions/{self.function}")

    def changed(self, **settings: Any) -> Any:
        return self.world.api.patch(f"/v1/functions/{self.function}", json=settings)

    @property
    def recorded(self) -> int:
        which = RequestFilter(function_id=self.function)
        return len(self.world.store.list_requests(None, which, Page(1000)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiWorld]:
    made = ApiWorld(tmp_path_factory.mktemp("hooks"))
    yield made
    made.close()


def refused(answer: Any, code: int) -> tuple[str, str]:
    assert answer.status_code == code, answer.text
    error = answer.json["error"]
    return error["reason"], error["message"]


def came(hook: Hook, answer: Any) -> tuple[Any, dict[str, Any]]:
    """Return the payload and the event of the request that an answer names."""
    assert answer.status_code == 202, answer.text
    identity = answer.json["request_id"]
    body = hook.world.store.get_input(identity)
    assert body is not None
    assert body.content is not None
    event = hook.world.store.get_requests([identity])[identity].event
    assert event is not None
    return json.loads(body.content), event


def end(hook: Hook, answer: Any, result: bytes, head: ResponseHead | None = None) -> None:
    """End the request that an answer names as a run of it would."""
    change = RequestChange(
        answer.json["request_id"],
        lambda old: Changed(
            replace(old, status=Status.SUCCESS, finished_at=now_ms(), response=head),
            Body.inline(result),
        ),
    )
    hook.world.store.change_requests([change])


def submitted(world: ApiWorld) -> list[Submitted]:
    return [each for each in world.sent if isinstance(each, Submitted)]


# Bodies

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content_type", "body", "payload"),
    [
        ("application/json", b'{"a": [1, "\xc3\xbc"]}', {"a": [1, "ü"]}),
        ("application/vnd.api+json", b"[1]", [1]),
        (FORM, b"a=1&b=x+y%C3%BC&a=2&c=&d", {
            "a": ["1", "2"], "b": "x yü", "c": "", "d": "",
        }),
        ("application/x-www-form-urlencoded; charset=utf-8", b"a=\xc3\xbc", {"a": "ü"}),
        ("text/plain", "täxt".encode(), "täxt"),
        ("application/xml", b"<a/>", "<a/>"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", "--b\r\n\r\nx\r\n--b--"),
        ("", b"", None),
        ("application/json", b"", None),
    ],
)  # fmt: skip
def test_bodies(world: ApiWorld, content_type: str, body: bytes, payload: Any) -> None:
    hook = Hook(world)
    answer = hook.post(data=body, content_type=content_type)
    found, event = came(hook, answer)
    assert found == payload
    assert "datacontentencoding" not in event
    assert event["datacontenttype"] == (content_type.partition(";")[0] or None)


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=b"])
def test_bytes_come_in_base64(world: ApiWorld, content_type: str) -> None:
    hook = Hook(world)
    answer = hook.post(data=b"\x89PNG\xff", content_type=content_type)
    found, event = came(hook, answer)
    assert (base64.b64decode(found), event["datacontentencoding"]) == (b"\x89PNG\xff", "base64")
    assert event["headers"]["content-type"] == content_type


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b"{", "the body is no JSON: Input data was truncated"),
        (FORM, b"a=%FF", "the body is no form: 'utf-8' codec can't decode byte 0xff in position 0"),
        (FORM, b"&".join([b"a=1"] * 1001), "the body is no form: Max number of fields exceeded"),
    ],
)  # fmt: skip
def test_bodies_that_are_not_what_they_say(
    world: ApiWorld, content_type: str, body: bytes, message: str
) -> None:
    hook = Hook(world)
    answer = hook.post(data=body, content_type=content_type)
    assert message in refused(answer, 400)[1]
    assert hook.recorded == 0


# Who sends


def signed_by_github(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def signed_by_standard(
    name: str, body: bytes = b"", at: int | None = None, secret: str = KEY_TEXT
) -> dict[str, str]:
    time = str(now_ms() // 1000 if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{name}.{time}.".encode() + body, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": time,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token(world: ApiWorld, method: str) -> None:
    hook = Hook(world, auth="token", auth_secret=SECRET)
    for headers in ({}, {"X-Gitlab-Token": "wrong"}, signed_by_github(b"")):
        answer = world.api.open(hook.path, method=method, headers=headers)
        assert refused(answer, 401) == BAD
    assert hook.recorded == 0
    headers = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Push Hook"}
    _, event = came(hook, world.api.open(hook.path, method=method, headers=headers))
    assert event["headers"]["x-gitlab-event"] == "Push Hook"
    assert SECRET not in json.dumps(event)


def test_a_secret_in_a_header_is_kept_nowhere_whatever_is_asked_for(world: ApiWorld) -> None:
    hook = Hook(world)
    headers = {"X-Gitlab-Token": SECRET, "X-Pratai-Token": SECRET}
    _, event = came(hook, hook.post(headers=headers))
    assert SECRET not in json.dumps(event)


def test_a_redelivery_of_github_runs_once(world: ApiWorld) -> None:
    hook = Hook(world, auth="github", auth_secret=SECRET)
    headers = {**signed_by_github(b"Hello"), "X-GitHub-Delivery": "d1"}
    first, again = (hook.post(data="Hello", headers=headers) for _ in range(2))
    assert first.json == again.json
    other_headers = {**signed_by_github(b"Hello!"), "X-GitHub-Delivery": "d1"}
    other = hook.post(data="Hello!", headers=other_headers)
    assert refused(other, 422) == (
        "idempotency_key_reused",
        "this id of a delivery was used with another body",
    )
    assert refused(hook.post(data="Hello!", headers=headers), 401) == BAD
    assert hook.recorded == 1
    named = {**headers, "X-GitHub-Delivery": "d2"}
    came(hook, hook.post(data="Hello", headers=named))
    assert hook.recorded == 2


def test_strangers_name_no_deliveries(world: ApiWorld) -> None:
    """Or else whoever knows the endpoint could use up the ids that others will have."""
    hook = Hook(world)
    for name in ("X-GitHub-Delivery", "webhook-id"):
        answers = [hook.post(headers={name: "d1"}) for _ in range(2)]
        assert answers[0].json != answers[1].json
    assert hook.recorded == 4


def test_a_strangers_key_counts_with_its_body(world: ApiWorld) -> None:
    """Or else whoever knows the endpoint could use up the keys that others will have."""
    hook, key = Hook(world), {"Idempotency-Key": "k"}
    first, again, other = (hook.post(data=each, headers=key) for each in ("1", "1", "2"))
    assert came(hook, other)[0] == "2"
    assert first.json == again.json
    assert first.json != other.json
    assert hook.get(headers=key).json == hook.get(headers=key).json
    assert hook.recorded == 3
    known = Hook(world, auth="token", auth_secret=SECRET)
    headers = {**key, "X-Pratai-Token": SECRET}
    came(known, known.post(data="1", headers=headers))
    assert refused(known.post(data="2", headers=headers), 422) == (
        "idempotency_key_reused",
        "this Idempotency-Key was used with another body",
    )


def test_a_secret_that_cannot_be_read(world: ApiWorld, caplog: pytest.LogCaptureFixture) -> None:
    """As where the installation's key is another one than it was sealed by."""
    hook = Hook(world, auth="token", auth_secret=SECRET)
    sealed = world.store.get_functions([hook.function])[hook.function].auth_secret
    assert sealed is not None
    headers = {"X-Pratai-Token": SECRET}
    came(hook, hook.post(headers=headers))
    world.store.change_function(
        hook.function, lambda old: replace(old, auth_secret=Sealer(KEY, "event").seal(SECRET))
    )
    assert refused(hook.post(headers=headers), 503) == (
        "secret_unavailable",
        "the function's auth_secret cannot be read; set it anew",
    )
    assert f"auth_secret of function {hook.function} cannot be read" in caplog.text
    assert SECRET not in caplog.text
    assert hook.recorded == 1


def test_standard_webhooks(world: ApiWorld) -> None:
    hook = Hook(world, auth="standard", auth_secret=KEY_TEXT)
    headers = signed_by_standard("m1", b"1")
    payload, event = came(hook, hook.post(data=b"1", headers=headers))
    assert (payload, event["id"]) == ("1", "delivery:m1")
    late = signed_by_standard("m2", b"1", now_ms() // 1000 - 400)
    assert refused(hook.post(data=b"1", headers=late), 401) == (
        "timestamp_out_of_range",
        "webhook-timestamp is more than 300 seconds from now",
    )
    for wrong in ({}, signed_by_standard("m3", b"2"), {**headers, "webhook-id": "m3"}):
        assert refused(hook.post(data=b"1", headers=wrong), 401) == BAD
    assert hook.recorded == 1


def test_what_is_replayed_within_its_time_is_one_request(world: ApiWorld) -> None:
    """Also of a function whose callers wait: they are answered what the first one was."""
    hook = Hook(world, auth="standard", auth_secret=KEY_TEXT, type="wait_for_response")
    headers = signed_by_standard("m1")
    first = hook.post("?wait=0.01", headers=headers)
    assert first.status_code == 202
    end(hook, first, b'"done"')
    again = hook.post(headers=headers)
    assert (again.status_code, again.json) == (200, "done")
    retried = hook.post(headers=signed_by_standard("m1", at=now_ms() // 1000 - 9))
    assert (retried.status_code, retried.json) == (200, "done")
    assert hook.recorded == 1
    assert [each.request.function_id for each in submitted(world)].count(hook.function) == 1


def test_the_id_of_a_delivery_has_bounds(world: ApiWorld) -> None:
    hook = Hook(world, auth="standard", auth_secret=KEY_TEXT)
    answer = hook.post(headers=signed_by_standard("m" * 256))
    message = "the id of a delivery must have 1 to 255 characters"
    assert refused(answer, 400) == ("invalid", message)
    came(hook, hook.post(headers=signed_by_standard("m" * 255)))


# Verification by GET and OPTIONS


def test_a_get_runs_the_function_which_may_answer_a_challenge(world: ApiWorld) -> None:
    hook = Hook(world)
    answer = hook.get("?hub.mode=subscribe&hub.challenge=77")
    payload, event = came(hook, answer)
    assert (payload, event["method"]) == (None, "GET")
    assert event["query"] == {"hub.mode": "subscribe", "hub.challenge": "77"}


@pytest.mark.parametrize(
    ("auth", "secret", "signed"),
    [
        ("github", SECRET, signed_by_github(b"")),
        ("standard", KEY_TEXT, signed_by_standard("m1")),
    ],
)
def test_a_get_proves_as_much_as_a_post(
    world: ApiWorld, auth: Any, secret: str, signed: dict[str, str]
) -> None:
    hook = Hook(world, auth=auth, auth_secret=secret)
    assert refused(hook.get("?hub.challenge=77"), 401) == BAD
    assert world.api.head(hook.path).status_code == 200
    assert hook.recorded == 0
    came(hook, hook.get(headers=signed))


@pytest.mark.parametrize(("rate", "allowed"), [(None, "*"), (120, "120")])
def test_the_handshake_of_cloudevents(world: ApiWorld, rate: int | None, allowed: str) -> None:
    hook = Hook(world, auth="token", auth_secret=SECRET, rate_limit=rate)
    asked = {"WebHook-Request-Origin": "events.example.com", "WebHook-Request-Rate": "600"}
    answer = world.api.options(hook.path, headers=asked)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert answer.headers["WebHook-Allowed-Origin"] == "*"
    assert answer.headers["WebHook-Allowed-Rate"] == allowed
    missing = world.api.options("/v1/hooks/other", headers=asked)
    assert (missing.status_code, missing.headers["Allow"]) == (200, answer.headers["Allow"])
    assert not any(name.startswith("WebHook-") for name, _ in missing.headers)
    assert hook.recorded == 0


# Rates


def test_more_calls_than_the_rate_allows(world: ApiWorld) -> None:
    hook = Hook(world, rate_limit=2, auth="token", auth_secret=SECRET)
    known = {"X-Pratai-Token": SECRET}
    for _ in range(5):
        assert refused(hook.post(), 401) == BAD
    for _ in range(2):
        came(hook, hook.post(headers=known))
    answer = hook.post(headers=known)
    message = "the function's rate_limit is 2 a minute, of which 2 are used"
    assert refused(answer, 429) == ("throttled", message)
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert world.api.head(hook.path).status_code == 200
    assert hook.recorded == 2
    assert hook.call().status_code == 202


class Anybody:
    """Knows nobody."""

    secured = True

    def identify(self, _environ: dict[str, Any]) -> Caller | None:
        return None

    def unknown(self) -> ApiError:
        return ApiError(401, "unauthenticated", "say who you are")


@pytest.fixture
def strange_world(tmp_path: Path) -> Iterator[ApiWorld]:
    """The API, to whom nobody says who they are."""
    made = ApiWorld(tmp_path, Anybody())
    yield made
    made.close()


def test_who_proves_nothing_does_not_get_in_by_the_functions_id(strange_world: ApiWorld) -> None:
    hook = Hook(strange_world, auth="github", auth_secret=SECRET)
    answer = hook.call()
    assert refused(answer, 401) == ("unauthenticated", "say who you are")
    assert hook.recorded == 0
    headers = signed_by_github(b"")
    came(hook, hook.post(headers=headers))


def test_a_rate_counts_strangers_by_the_functions_id_too(strange_world: ApiWorld) -> None:
    hook = Hook(strange_world, rate_limit=2)
    came(hook, hook.call())
    came(hook, hook.post())
    message = "the function's rate_limit is 2 a minute, of which 2 are used"
    for answer in (hook.call(), hook.post()):
        assert refused(answer, 429) == ("throttled", message)


# Settings


def test_a_secret_goes_in_and_never_out(world: ApiWorld) -> None:
    hook = Hook(world)
    answer = hook.changed(auth="github", auth_secret=SECRET, rate_limit=60)
    assert (answer.status_code, answer.json["auth"], answer.json["rate_limit"]) == (
        200, "github", 60,
    )  # fmt: skip
    shown = [answer.text, world.api.get("/v1/functions").text]
    shown.append(hook.shown().text)
    kept = world.store.get_functions([hook.function])[hook.function]
    shown.append(repr(kept))
    assert kept.auth_secret is not None
    assert [text for text in shown if SECRET in text] == []
    assert [text for text in shown[:3] if kept.auth_secret in text or "auth_secret" in text] == []
    came(hook, hook.post(data="x", headers=signed_by_github(b"x")))


def test_a_new_secret_counts_at_once_and_alone(world: ApiWorld) -> None:
    hook = Hook(world, auth="github", auth_secret=SECRET)
    assert hook.changed(auth_secret="another secret").status_code == 200
    former, new = signed_by_github(b""), signed_by_github(b"", "another secret")
    assert refused(hook.post(headers=former), 401) == BAD
    came(hook, hook.post(headers=new))
    assert hook.changed(auth="github", description="same").status_code == 200
    came(hook, hook.post(headers=new))


def test_a_new_address_keeps_the_secret(world: ApiWorld) -> None:
    hook = Hook(world, auth="github", auth_secret=SECRET)
    endpoint = hook.changed(rotate_endpoint=True).json["endpoint"]
    headers = signed_by_github(b"")
    former = hook.post(headers=headers)
    assert refused(former, 404) == ("endpoint_not_found", "there is no such endpoint")
    assert refused(world.api.post(endpoint), 401) == BAD
    came(hook, world.api.post(endpoint, headers=headers))


def test_without_auth_the_secret_is_forgotten(world: ApiWorld) -> None:
    hook = Hook(world, auth="github", auth_secret=SECRET)
    assert hook.changed(auth="none").json["auth"] == "none"
    came(hook, hook.post())
    again = hook.changed(auth="github")
    assert refused(again, 400) == ("invalid", "auth github needs an auth_secret")
    assert hook.changed(rate_limit=None).json["rate_limit"] is None


NO_KEY = "it is no whsec_ with 16 to 64 bytes in base64"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auth": "token"}, "auth token needs an auth_secret"),
        ({"auth": "standard"}, "auth standard needs an auth_secret"),
        ({"auth": "github", "auth_secret": None}, "auth github needs an auth_secret"),
        ({"auth_secret": SECRET}, "auth_secret goes with auth token, github or standard"),
        (
            {"auth": "none", "auth_secret": SECRET},
            "auth_secret goes with auth token, github or standard",
        ),
        (
            {"auth": "standard", "auth_secret": SECRET},
            f"auth_secret does not go with auth standard: {NO_KEY}",
        ),
    ],
)
def test_settings_that_do_not_go_together(
    world: ApiWorld, settings: dict[str, Any], message: str
) -> None:
    hook = Hook(world)
    answer = hook.changed(**settings)
    assert refused(answer, 400) == ("invalid", message)
    assert SECRET not in answer.text
    assert hook.shown().json["auth"] == "none"


def test_another_proof_needs_another_secret(world: ApiWorld) -> None:
    """What GitLab sends as it is shall not sign for somebody else."""
    hook = Hook(world, auth="token", auth_secret=SECRET)
    answer = hook.changed(auth="github")
    assert refused(answer, 400) == ("invalid", "auth github needs an auth_secret")
    answer = hook.changed(auth_secret=None)
    assert refused(answer, 400) == ("invalid", "auth token needs an auth_secret")
    assert hook.changed(auth="standard", auth_secret=KEY_TEXT).json["auth"] == "standard"


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"auth": "basic"}, "Invalid enum value 'basic' - at `$.auth`"),
        ({"rate_limit": 0}, "Expected `int` >= 1 - at `$.rate_limit`"),
        ({"rate_limit": 60_001}, "Expected `int` <= 60000 - at `$.rate_limit`"),
        ({"auth_secret": "short"}, "Expected `str` of length >= 8 - at `$.auth_secret`"),
        ({"auth_secret": "x" * 257}, "Expected `str` of length <= 256 - at `$.auth_secret`"),
        ({"auth_secret": "with a\nnewline"}, "Expected `str` matching regex"),
        ({"auth_secret": " trimmed "}, "Expected `str` matching regex"),
    ],
)
def test_settings_that_are_none(world: ApiWorld, settings: Any, part: str) -> None:
    hook = Hook(world)
    reason, message = refused(hook.changed(**settings), 400)
    assert reason == "invalid"
    assert part in message


# What functions answer


def answered(hook: Hook, path: str, result: bytes, head: ResponseHead | None) -> Any:
    sent = {"headers": {"Idempotency-Key": "k"}, "json": {"payload": 1}}
    end(hook, hook.world.api.post(path, **sent), result, head)
    return hook.world.api.post(f"{path}?wait=1", **sent)


def given(world: ApiWorld, result: bytes, head: ResponseHead | None) -> Any:
    """Return what an endpoint answers whose function has returned this."""
    hook = Hook(world)
    return answered(hook, hook.path, result, head)


def names_itself_a_functions(answer: Any) -> None:
    assert answer.headers["X-Pratai-Answered-By"] == "function"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers.getlist("Content-Security-Policy")
    assert answer.headers["X-Pratai-Request-Id"]


@pytest.mark.parametrize("by_id", [False, True])
def test_a_response_is_answered_as_it_says(world: ApiWorld, by_id: bool) -> None:
    headers = {
        "Content-Type": "text/html",
        "X-Own": "1",
        "Content-Security-Policy": "default-src 'none'",
    }
    head = ResponseHead(status=418, headers=headers, encoding="text")
    hook = Hook(world)
    path = f"/v1/functions/{hook.function}" if by_id else hook.path
    answer = answered(hook, path, '"<p>ü"'.encode(), head)
    assert (answer.status_code, answer.text) == (418, "<p>ü")
    assert (answer.headers["Content-Type"], answer.headers["X-Own"]) == ("text/html", "1")
    policies = answer.headers.getlist("Content-Security-Policy")
    assert policies == ["default-src 'none'", "sandbox"]
    names_itself_a_functions(answer)
    shown = world.api.get(f"/v1/requests/{answer.headers['X-Pratai-Request-Id']}").json
    assert (shown["status"], shown["result"]) == ("success", "<p>ü")
    assert shown["response"] == {"status": 418, "headers": headers, "encoding": "text"}


def test_bytes_are_answered_as_bytes(world: ApiWorld) -> None:
    answer = given(world, b'"iVBORw=="', ResponseHead(encoding="base64"))
    assert (answer.status_code, answer.data) == (200, b"\x89PNG")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    names_itself_a_functions(answer)


def test_json_is_answered_as_ever(world: ApiWorld) -> None:
    answer = given(world, b'{"a": 1}', None)
    assert (answer.status_code, answer.data) == (200, b'{"a": 1}')
    assert answer.headers["Content-Type"] == "application/json"
    names_itself_a_functions(answer)
    shown = world.api.get(f"/v1/requests/{answer.headers['X-Pratai-Request-Id']}").json
    assert (shown["result"], shown["response"]) == ({"a": 1}, None)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body(world: ApiWorld, status: int) -> None:
    answer = given(world, b'"x"', ResponseHead(status=status, encoding="text"))
    assert (answer.status_code, answer.data) == (status, b"")


def test_a_redirection_stays_what_it_is(world: ApiWorld) -> None:
    head = ResponseHead(status=303, headers={"Location": "there"}, encoding="text")
    answer = given(world, b'""', head)
    assert (answer.status_code, answer.headers["Location"]) == (303, "there")


def test_what_no_node_should_have_let_through(world: ApiWorld) -> None:
    """nginx would send a caller to what is inside."""
    head = ResponseHead(headers={"X-Accel-Redirect": "/v1/node/x"})
    answer = given(world, b"1", head)
    message = "a Response may not have the header x-accel-redirect"
    assert refused(answer, 502) == ("bad_result", message)
    assert "X-Accel-Redirect" not in answer.headers
    assert "X-Pratai-Answered-By" not in answer.headers


def test_what_the_platform_answers_is_not_a_functions(world: ApiWorld) -> None:
    hook = Hook(world)
    for answer in (
        hook.post(data="{", content_type="application/json"),
        hook.post(),
        hook.shown(),
    ):
        assert "X-Pratai-Answered-By" not in answer.headers
