"""What the command line says of events and subscriptions, and what the API makes of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from pratai_common.clock import now_ms
from pratai_common.records import Daemon, Event, SourceState
from pratai_common.sealing import Sealer
from tests.archives import KEY
from tests.packages import ECHO
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai

BROKER = ("--source", "message", "--setting", "host=broker.example", "--setting", "queue=orders")


@pytest.fixture
def archive(tmp_path: Path) -> str:
    (tmp_path / "echo.zip").write_bytes(ECHO)
    return str(tmp_path / "echo.zip")


@pytest.fixture
def echo(pratai: Pratai, archive: str) -> str:
    """The id of a function of that name."""
    return str(pratai.json("function-create", "echo", "--zip", archive)["function_id"])


def written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def event_of(world: ApiWorld, event_id: str) -> Event:
    return world.store.get_events([event_id])[event_id]


# Events


def test_an_event_from_creation_to_deletion(pratai: Pratai) -> None:
    made = pratai.json("event-create", "orders", "--description", "d", "--enabled", "false")
    expected = {"name": "orders", "description": "d", "source": "published", "enabled": False}
    assert {name: made[name] for name in expected} == expected
    identity = made["event_id"]
    assert pratai.json("event-show", "orders") == pratai.json("event-show", identity) == made
    changes = ("--name", "sales", "--description", "", "--enabled", "true")
    changed = pratai.json("event-update", "orders", *changes)
    assert (changed["name"], changed["description"], changed["status"]) == ("sales", "", "active")
    other = pratai.json("event-create", "other")
    listed = pratai.json("event-list")
    assert {each["event_id"] for each in listed} == {identity, other["event_id"]}
    assert pratai("event-delete", "sales", other["event_id"]).code == 0
    assert pratai.json("event-list") == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("--setting", "port=5671", "--setting", "tls=true"), {"port": 5671, "tls": True}),
        (("--setting", "username=svc", "--setting", "virtual_host=/a=b"),
         {"username": "svc", "virtual_host": "/a=b"}),
        (("--setting", 'username="5"'), {"username": "5"}),
    ],
)  # fmt: skip
def test_settings_are_json_where_they_can_be(
    pratai: Pratai, given: tuple[str, ...], expected: dict[str, Any]
) -> None:
    made = pratai.json("event-create", "orders", *BROKER, *given)
    assert {name: made["settings"][name] for name in expected} == expected


def test_settings_of_a_file_and_lists(pratai: Pratai, tmp_path: Path) -> None:
    given = {"host": "db.example", "database": "shop", "username": "pratai", "port": 1}
    path = written(tmp_path / "settings.json", json.dumps(given))
    source = ("--source", "database", "--settings", path, "--setting", "port=5433")
    one = pratai.json("event-create", "one", *source, "--setting", "tables=public.orders")
    assert one["settings"]["tables"] == ["public.orders"]
    assert (one["settings"]["port"], one["settings"]["host"]) == (5433, "db.example")
    several = ["--setting", "operations=insert", "--setting", "operations=delete"]
    several += ["--setting", 'tables=["a.b", "c.d"]']
    made = pratai.json("event-create", "several", *source, *several)["settings"]
    assert (made["operations"], made["tables"]) == (["insert", "delete"], ["a.b", "c.d"])


def test_a_password_is_read_from_a_file_and_shown_nowhere(
    pratai: Pratai, api_world: ApiWorld, tmp_path: Path
) -> None:
    path = written(tmp_path / "password", "s3cret word \n")
    ran = pratai("-v", "event-create", "orders", *BROKER, "--password-file", path, "-f", "json")
    assert ran.code == 0
    assert "s3cret" not in ran.out + ran.err
    made = json.loads(ran.out)
    assert made["has_password"] is True
    sealed = event_of(api_world, made["event_id"]).sealed
    assert Sealer(KEY, "event").open(sealed or "") == "s3cret word "
    assert "loudly" in pratai("-v", "event-create", "b", "--description", "loudly").err

    elsewhere = ("event-update", "orders", "--setting", "host=h", "--setting", "queue=q")
    code, message = pratai.refused(*elsewhere)
    assert (code, "other settings need the password anew" in message) == (4, True)
    assert pratai.json(*elsewhere, "--password-file", path)["settings"]["host"] == "h"
    assert pratai.json("event-update", "orders", "--no-password")["has_password"] is False


def test_how_a_source_stands_is_readable(pratai: Pratai, api_world: ApiWorld) -> None:
    made = pratai.json("event-create", "orders", *BROKER)
    now = now_ms()
    agent = Daemon(
        daemon_type="agent", daemon_id="a1", joined_at=now, seen_at=now, ip="", version=""
    )
    api_world.store.put_daemon(agent)
    state = SourceState(
        state="failing", since=0, error="it refuses", error_at=1, note="slow", received=5, dead=2,
        without_id=3,
    )  # fmt: skip
    api_world.store.change_event(made["event_id"], lambda old: replace(old, states={"a1": state}))
    shown = pratai("event-show", "orders").out
    for line in (
        'host: "broker.example"',
        "a1: failing since 1970-01-01T00:00:00.000Z",
        "5 received, 3 of them without an id; 2 put aside",
        "last error, at 1970-01-01T00:00:00.001Z: it refuses",
        "note: slow",
    ):
        assert line in shown
    assert pratai.json("event-list")[0]["status"] == "failing"


# Publishing


@pytest.fixture
def listening(pratai: Pratai, archive: str) -> list[str]:
    """The ids of two functions that subscribe to the event ``orders``."""
    pratai.json("event-create", "orders")
    create = ("function-create", "--zip", archive, "--subscribe_to", "orders")
    return [pratai.json(*create, "--event", "message", name)["function_id"] for name in "ab"]


def published(pratai: Pratai, *arguments: str) -> list[Any]:
    """Publish on ``orders``; returns the payload of each request that was caused."""
    caused = pratai.json("event-publish", "orders", *arguments)
    shown = [
        pratai.json("request-show", each["request_id"], "--include-payload") for each in caused
    ]
    return [each["payload"] for each in shown]


def test_data_of_the_command_line_and_of_a_file(
    pratai: Pratai, listening: list[str], tmp_path: Path
) -> None:
    assert published(pratai, "--payload", '{"a": "ü"}') == [{"a": "ü"}] * 2
    assert published(pratai, "--file", written(tmp_path / "data", "[1.5]")) == [[1.5]] * 2
    assert published(pratai) == [None, None]
    listed = pratai.json("request-list", "--filter", listening[0])
    assert len(listed) == 3


def test_a_cloudevent_runs_once_however_often_it_is_published(
    pratai: Pratai, listening: list[str], tmp_path: Path
) -> None:
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "sold", "data": {"n": 1}}
    one = written(tmp_path / "one", json.dumps(event))
    first = pratai.json("event-publish", "orders", "--cloudevent", one)
    assert [each["id"] for each in first] == ["7", "7"]
    assert pratai.json("event-publish", "orders", "--cloudevent", one) == first
    assert published(pratai, "--cloudevent", one) == [{"n": 1}] * 2
    batch = written(tmp_path / "batch", json.dumps([event, {**event, "id": "8"}]))
    caused = pratai.json("event-publish", "orders", "--cloudevent", batch)
    assert [each["id"] for each in caused] == ["7", "7", "8", "8"]
    assert caused[:2] == first


def test_a_key_and_a_time(pratai: Pratai, listening: list[str]) -> None:
    keyed = ("event-publish", "orders", "--key", "k", "--payload")
    first = pratai.json(*keyed, "1")
    assert pratai.json(*keyed, "1") == first
    code, message = pratai.refused(*keyed, "2")
    assert (code, "this Idempotency-Key was used with another body" in message) == (4, True)
    at = (datetime.now(UTC) + timedelta(days=1)).astimezone(ZoneInfo("Asia/Kolkata"))
    (one, _) = pratai.json("event-publish", "orders", "--not-before", at.isoformat())
    shown = pratai.json("request-show", one["request_id"])
    assert shown["status"] == "scheduled"
    assert datetime.fromisoformat(shown["next_run_at"]) - at < timedelta(milliseconds=1)
    called = pratai.json("function-execute", "a", "--not-before", at.isoformat())
    shown = pratai.json("request-show", called["request_id"])
    assert (shown["status"], shown["next_run_at"][:19]) == ("scheduled", utc(at))


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()[:19]


# Functions and what runs them


def subscribed(pratai: Pratai, function: str) -> list[tuple[Any, ...]]:
    """Return what runs a function: kind, id and outcome, oldest first."""
    names = ("kind", "event_id", "outcome")
    listed = pratai.json("subscription-list", function)
    return [tuple(each[name] for name in names) for each in listed]


def test_events_are_subscribed_to_by_name_or_id(pratai: Pratai, archive: str) -> None:
    one, two = (pratai.json("event-create", name)["event_id"] for name in ("one", "two"))
    create = ("function-create", "f", "--zip", archive, "--filter", '{"a": [1]}')
    made = pratai.json(*create, "--subscribe_to", "one", two)
    assert made["event"] == "message"
    assert sorted(subscribed(pratai, "f")) == sorted(
        [("message", one, None), ("message", two, None)]
    )
    assert len(published_on(pratai, "one", '{"a": 1}')) == 1
    assert published_on(pratai, "two", '{"a": 2}') == []


def published_on(pratai: Pratai, event: str, payload: str) -> list[Any]:
    caused: list[Any] = pratai.json("event-publish", event, "--payload", payload)
    return caused


def test_ends_of_functions_are_subscribed_to(pratai: Pratai, archive: str, echo: str) -> None:
    create = ("function-create", "f", "--zip", archive, "--event", "response")
    other = pratai.json("function-create", "other", "--zip", archive)["function_id"]
    targets = ("--subscribe-to", "echo:failure", "--subscribe-to", other)
    assert pratai.json(*create, *targets)["event"] == "response"
    assert sorted(subscribed(pratai, "f")) == sorted(
        [("response", echo, "failure"), ("response", other, "any")]
    )


def test_a_timer_by_cron(pratai: Pratai, archive: str) -> None:
    clock = ("--cron", "30 8 * * mon-fri", "--timezone", "Europe/Vienna", "--misfire", "all")
    made = pratai.json("function-create", "f", "--zip", archive, *clock)
    assert made["event"] == "timer"
    (timer,) = pratai.json("subscription-list", "f")
    assert (timer["kind"], timer["cron"]) == ("timer", "30 8 * * mon-fri")
    changed = pratai.json("subscription-update", "f", timer["subscription_id"], "--misfire", "skip")
    assert (changed["timezone"], changed["misfire"]) == ("Europe/Vienna", "skip")
    hourly = ("subscription-update", "f", timer["subscription_id"], "--frequency", "60")
    assert (pratai.json(*hourly)["cron"], pratai.json(*hourly)["frequency"]) == (None, 60)


def test_subscriptions_of_each_kind(pratai: Pratai, archive: str, echo: str) -> None:
    event = pratai.json("event-create", "orders")["event_id"]
    pratai.json("function-create", "f", "--zip", archive)
    create = ("subscription-create", "f", "--kind")
    message = pratai.json(
        *create, "message", "--subscribe_to", "orders", "--filter", '{"a": [1]}',
        "--enabled", "false",
    )  # fmt: skip
    assert (message["event_id"], message["filter"], message["enabled"]) == (
        event, {"a": [1]}, False,
    )  # fmt: skip
    response = pratai.json(*create, "response", "--subscribe_to", f"{echo}:success")
    assert (response["event_id"], response["outcome"]) == (echo, "success")
    pratai.json(*create, "timer", "--cron", "@hourly")
    kinds = [kind for kind, _, _ in subscribed(pratai, "f")]
    assert sorted(kinds) == ["message", "response", "timer", "webhook"]

    update = ("subscription-update", "f")
    changed = pratai.json(*update, message["subscription_id"], "--filter", "none")
    assert changed["filter"] is None
    changed = pratai.json(*update, response["subscription_id"], "--outcome", "any")
    assert changed["outcome"] == "any"


def test_settings_of_endpoint_and_delivery(
    pratai: Pratai, api_world: ApiWorld, archive: str, tmp_path: Path
) -> None:
    event = pratai.json("event-create", "failed")["event_id"]
    secret = written(tmp_path / "secret", "correct horse\r\n")
    given = ("--public", "true", "--auth", "github", "--auth-secret-file", secret,
             "--rate-limit", "60", "--max-age", "600", "--on-failure", "failed")  # fmt: skip
    made = pratai.json("function-create", "f", "--zip", archive, *given)
    expected = {"auth": "github", "rate_limit": 60, "max_age": 600, "on_failure": event}
    assert {name: made[name] for name in expected} == expected
    identity = made["function_id"]
    sealed = api_world.store.get_functions([identity])[identity].auth_secret
    assert Sealer(KEY, "hook").open(sealed or "") == "correct horse"

    rotated = pratai.json("function-update", "f", "--rotate-endpoint")["endpoint"]
    assert rotated != made["endpoint"]
    taken = ("--auth", "none", "--rate-limit", "none", "--max-age", "none", "--on-failure", "none")
    changed = pratai.json("function-update", "f", *taken)
    assert {changed["auth"]} | {changed[name] for name in expected if name != "auth"} == {
        "none", None,
    }  # fmt: skip


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("event-create", "e", "--setting", "host"), "'host' is not KEY=VALUE"),
        (("event-create", "e", "--setting", "=1"), "'=1' is not KEY=VALUE"),
        (("event-create", "e", "--password", "--password-file", "f"), "not allowed with"),
        (("event-publish", "e", "--payload", "1", "--cloudevent", "f"), "not allowed with"),
        (("event-publish", "e", "--not-before", "soon"), "'soon' is no time as "),
        (("event-publish", "e", "--not-before", "2027-01-31T08:30"), "has no zone: add Z, or"),
        (("function-create", "f", "--zip", "f", "--filter", "["), "'[' is no JSON: "),
        (("function-create", "f", "--zip", "f", "--filter", "[]"), "'[]' is no JSON object"),
        (("function-create", "f", "--zip", "f", "--subscribe_to", "f:any"),
         "'f:any' is neither EVENT nor FUNCTION[:success|failure]"),
        (("function-create", "f", "--zip", "f", "--rate-limit", "0"), "'0' is no number from 1 on"),
        (("subscription-create", "f", "--kind", "other"), "invalid choice: 'other'"),
        (("request-list", "--dead"), "unrecognized arguments: --dead"),
    ],
)  # fmt: skip
def test_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, said = Pratai(capsys).refused(*arguments)
    assert (code, message in said) == (2, True), said


def test_what_is_not_there_or_does_not_fit(pratai: Pratai, archive: str, tmp_path: Path) -> None:
    pratai.json("event-create", "orders")
    pratai.json("function-create", "f", "--zip", archive)
    create = ("function-create", "g", "--zip", archive)
    no_text = written(tmp_path / "latin", "ü".encode("latin-1"))
    for arguments, expected, message in (
        (("event-show", "nobody"), 3, "there is no event nobody"),
        (("event-publish", "nobody"), 3, "there is no event nobody"),
        ((*create, "--subscribe_to", "nobody"), 3, "there is no event nobody"),
        ((*create, "--event", "response", "--subscribe_to", "orders"), 3, "there is no function"),
        ((*create, "--on-failure", "nobody"), 3, "there is no event nobody"),
        (
            (*create, "--subscribe_to", "orders:failure"),
            4,
            "orders:failure: an event has no ",
        ),
        ((*create, "--cron", "0 0 30 2 *"), 4, "cron: "),
        (("event-create", "orders"), 4, "an event named orders exists"),
        (("event-create", "e", "--source", "smoke"), 4, "there is no source smoke; known: "),
        (("event-create", "e", "--settings", "none"), 4, "there is no file none"),
        (("event-create", "e", "--settings", archive), 4, f"{archive} is no text in UTF-8"),
        (("event-create", "e", "--password"), 4, "there is no terminal to ask for the password on"),
        (("event-create", "e", "--password-file", no_text), 4, f"{no_text} is no text in UTF-8"),
        (("function-update", "f", "--auth", "token"), 4, "auth token needs an auth_secret"),
        (("event-publish", "orders", "--payload", "{"), 4, "the payload is no JSON"),
    ):
        code, said = pratai.refused(*arguments)
        assert (code, message in said) == (expected, True), (arguments, said)
    assert [each["name"] for each in pratai.json("event-list")] == ["orders"]
    assert [each["name"] for each in pratai.json("function-list")] == ["f"]
