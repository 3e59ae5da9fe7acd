"""The Python interface of the client, against the API by HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import prataiclient
import pytest
from keystoneauth1 import noauth
from keystoneauth1.session import Session
from prataiclient import Client, resources

from tests.packages import ECHO
from tests.ports import free_port
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import served

ANSWERS = {"created_at": "2026-11-27T08:30:00.000Z", "name": "n"}


@pytest.fixture
def url(api_world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    with served(api_world.api.application) as found:
        yield found


@pytest.fixture
def client(url: str) -> Client:
    return Client(endpoint=url)


def test_what_is_asked_for_is_typed(client: Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = client.create_function("echo", ECHO, memory=96, environment={"A": "1"})
    assert isinstance(made, resources.Function)
    assert (made.name, made.memory, made.environment, made.version) == (
        "echo",
        96,
        {"A": "1"},
        None,
    )
    assert before < made.created_at <= datetime.now(UTC)
    assert client.function("echo") == client.function(made.function_id) == made
    assert made.to_dict()["created_at"].endswith("Z")
    assert repr(made) == f"<Function function_id='{made.function_id}'>"
    assert [each.function_id for each in client.functions()] == [made.function_id]
    assert client.update_function(made.function_id, memory=128).memory == 128
    (version,) = client.versions(made.function_id)
    assert (version.version, version.status) == (1, "building")


def test_a_session_of_ones_own_will_do(url: str) -> None:
    session = Session(auth=noauth.NoAuth(endpoint=url))
    assert [each.name for each in Client(session).runtimes()] == ["python3"]
    with pytest.raises(ValueError, match="a client needs a session, or the endpoint"):
        Client()


def test_a_package_may_be_bytes_a_file_or_a_folder(client: Client, tmp_path: Path) -> None:
    archive = tmp_path / "echo.zip"
    archive.write_bytes(ECHO)
    folder = tmp_path / "echo"
    folder.mkdir()
    (folder / "new_module.py").write_text("def main(payload=None):\n    return payload\n")
    (folder / "requirements.txt").write_text("")
    for name, package in (("a", ECHO), ("b", archive), ("c", str(archive)), ("d", folder)):
        assert client.create_function(name, package).status == "building"
    (folder / "new_module.py").write_text("def main(")
    with pytest.raises(prataiclient.RefusedError, match=r"new_module\.py, line 1"):
        client.create_function("e", folder)
    with pytest.raises(FileNotFoundError):
        client.create_function("f", tmp_path / "nothing.zip")


def test_a_failure_says_what_the_service_said(client: Client) -> None:
    with pytest.raises(prataiclient.NotFoundError) as missing:
        client.function("nobody")
    assert (missing.value.status, missing.value.reason) == (404, "function_not_found")
    client.create_function("taken", ECHO)
    with pytest.raises(prataiclient.RefusedError) as refused:
        client.create_function("taken", ECHO)
    assert (refused.value.status, refused.value.reason) == (409, "name_taken")
    with pytest.raises(prataiclient.RefusedError) as wrong:
        client.create_function("1st", ECHO)
    assert wrong.value.status == 400
    with pytest.raises(prataiclient.UnavailableError) as away:
        Client(endpoint=f"http://127.0.0.1:{free_port()}").function("a")
    assert away.value.status is None


def test_a_call_is_a_request_that_may_be_waited_for(client: Client) -> None:
    function = client.create_function("echo", ECHO).function_id
    at = datetime.now(timezone(timedelta(hours=1))) + timedelta(days=1)
    called = client.execute(function, {"a": 1}, key="once", not_before=at)
    assert (called.ended, called.result) == (False, None)
    assert client.execute(function, {"a": 1}, key="once", not_before=at) == called
    request = client.request(called.request_id, payload=True)
    assert (request.payload, request.ended, request.status) == ({"a": 1}, False, "scheduled")
    assert request.next_run_at is not None
    assert abs(request.next_run_at - at) < timedelta(seconds=1)
    (listed,) = client.requests(function_id=function)
    assert (listed.request_id, listed.payload, listed.attempts) == (called.request_id, None, [])
    with pytest.raises(prataiclient.WaitTimeoutError, match="had not ended after 0 s"):
        client.wait_for_request(called.request_id, timeout=0)
    client.cancel_request(called.request_id)
    with pytest.raises(prataiclient.RefusedError, match="has no zone"):
        client.execute(function, not_before=at.replace(tzinfo=None))


def test_events_secrets_and_keys(client: Client) -> None:
    event = client.create_event(name="orders")
    function = client.create_function("echo", ECHO, event="message", subscribe_to=[event.event_id])
    (subscription,) = client.subscriptions(function.function_id)
    assert (subscription.kind, subscription.event_id) == ("message", event.event_id)
    published = client.publish(event.event_id, {"shop": 7})
    (occurrence,) = published.published
    assert occurrence.request_ids == published.request_ids
    assert len(published.request_ids) == 1
    for value in (b"s3cret", b"\xff\x00"):
        client.put_secret("db", value)
        assert client.secret("db") == value
    assert [each.name for each in client.secrets()] == ["db"]
    until = datetime(2099, 1, 31, 8, 30, tzinfo=UTC)
    key = client.create_api_key("door", expires_at=until)
    assert key.expires_at == until
    assert key.key is not None
    assert [(each.prefix, each.key) for each in client.api_keys()] == [(key.prefix, None)]
    assert {each.resource for each in client.quotas()} >= {"functions", "events"}


# Objects


def test_a_field_that_is_not_known_is_there_all_the_same() -> None:
    secret = resources.Secret({**ANSWERS, "colour": "blue", "seen_at": None})
    assert vars(secret)["colour"] == "blue"
    assert secret.created_at == datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
    assert vars(secret)["seen_at"] is None
    assert secret.to_dict() == {**ANSWERS, "colour": "blue", "seen_at": None}


def test_parts_are_typed_too_and_equal_things_are_equal() -> None:
    told = {"request_id": "r", "status": "error", "attempts": [{"attempt": 1, "started_at": None}]}
    request = resources.Request(told)
    assert isinstance(request.attempts[0], resources.Attempt)
    assert (request.ended, request.result, request.children) == (True, None, None)
    assert request == resources.Request(dict(told))
    assert request != resources.Request({**told, "status": "queued"})
    assert len({request, resources.Request(dict(told))}) == 1
