"""Secrets by REST and by the command line: who sees a value, and what a function may need."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pratai_api.caller import Caller
from pratai_api.schemas import ApplicationCredential, SecretPut
from pratai_api.secret_stores.base import Right, SecretMissingError
from pratai_api.secret_stores.local import LocalSecrets
from pratai_api.trusts import Grant
from pratai_common import limits
from pratai_common.records import Function, SecretUse
from tests.packages import ECHO
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai

MINE = Right("default")


@pytest.fixture
def world(api_world: ApiWorld) -> ApiWorld:
    return api_world


def put(world: ApiWorld, name: str = "db", value: str = "rec0gnizable", **more: Any) -> Any:
    return world.api.post("/v1/secrets", json={"name": name, "value": value, **more})


def create(world: ApiWorld, **settings: Any) -> Any:
    metadata = json.dumps({"name": "f"} | settings)
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": metadata}
    return world.api.post("/v1/functions", data=form)


def update(world: ApiWorld, made: Any, **settings: Any) -> Any:
    return world.api.patch(f"/v1/functions/{made['function_id']}", json=settings)


def record(world: ApiWorld, made: Any) -> Function:
    return world.store.get_functions([made["function_id"]])[made["function_id"]]


def refused(answer: Any, code: int, reason: str) -> str:
    error = answer.json["error"]
    assert (answer.status_code, error["reason"]) == (code, reason), error
    message: str = error["message"]
    return message


# REST


def test_a_secret_from_creation_to_deletion(world: ApiWorld) -> None:
    made = put(world)
    assert made.status_code == 201
    assert (made.json["name"], made.json["project_id"]) == ("db", "default")
    assert made.json["created_at"].endswith("Z")
    listed = world.api.get("/v1/secrets")
    assert listed.json == {"secrets": [made.json], "next": None}
    assert b"rec0gnizable" not in made.data + listed.data
    shown = world.api.get("/v1/secrets/db")
    assert shown.json == {
        "name": "db",
        "project_id": "default",
        "value": "rec0gnizable",
        "encoding": "text",
    }
    assert shown.headers["Cache-Control"] == "no-store"
    assert put(world, value="other").status_code == 201
    assert world.api.get("/v1/secrets/db").json["value"] == "other"
    assert world.api.delete("/v1/secrets/db").status_code == 204
    for method in (world.api.get, world.api.delete):
        message = refused(method("/v1/secrets/db"), 404, "secret_not_found")
        assert message == "the project has no secret db"


def test_bytes_that_are_no_text(world: ApiWorld) -> None:
    encoded = base64.b64encode(b"\xff\0").decode()
    assert put(world, value=encoded, encoding="base64").status_code == 201
    shown = world.api.get("/v1/secrets/db").json
    assert (shown["value"], shown["encoding"]) == (encoded, "base64")


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        ({"value": ""}, 400, "invalid"),
        ({"value": "=", "encoding": "base64"}, 400, "invalid"),
        ({"value": "é", "encoding": "base64"}, 400, "invalid"),
        ({"name": "../db"}, 400, "invalid"),
        ({"name": "d b"}, 400, "invalid"),
        ({"name": "x" * 64}, 400, "invalid"),
        ({"encoding": "hex"}, 400, "invalid"),
        ({"value": "x" * (limits.MAX_SECRET_BYTES + 1)}, 413, "too_large"),
    ],
)
def test_what_is_no_secret(world: ApiWorld, sent: dict[str, str], code: int, reason: str) -> None:
    message = refused(put(world, **sent), code, reason)
    assert "xxx" not in message
    assert world.api.get("/v1/secrets").json["secrets"] == []
    assert put(world, value="x" * limits.MAX_SECRET_BYTES).status_code == 201


def test_the_list_comes_in_pages(world: ApiWorld) -> None:
    for name in ("c", "a", "b"):
        put(world, name=name)
    first = world.api.get("/v1/secrets?limit=2").json
    assert [each["name"] for each in first["secrets"]] == ["a", "b"]
    rest = world.api.get(f"/v1/secrets?marker={first['next']}").json
    assert ([each["name"] for each in rest["secrets"]], rest["next"]) == (["c"], None)


def test_where_secrets_are_kept_is_away(world: ApiWorld, tmp_path: Path) -> None:
    put(world)
    path = tmp_path / "secrets" / "values.json"
    content = path.read_bytes()
    path.write_bytes(b"damaged")
    for answer in (put(world), world.api.get("/v1/secrets"), world.api.get("/v1/secrets/db")):
        message = refused(answer, 503, "secret_unavailable")
        assert message.startswith("where secrets are kept does not answer")
        assert answer.headers["Retry-After"] == "1"
    path.write_bytes(content)
    assert world.api.get("/v1/secrets/db").status_code == 200


def test_no_more_callers_wait_than_may(world: ApiWorld) -> None:
    put(world)
    with world.secret_waits.place():
        message = refused(world.api.get("/v1/secrets/db"), 503, "busy")
        assert message == "too many callers wait for secrets here already"
        assert refused(put(world, value="other"), 503, "busy")
        assert world.api.get("/v1/functions").status_code == 200
    assert world.api.get("/v1/secrets/db").json["value"] == "rec0gnizable"


# What functions need


def test_a_function_says_what_it_needs(world: ApiWorld) -> None:
    asked = [{"name": "db"}, {"name": "tls", "file": "cert.pem"}]
    asked += [{"name": "db", "environment": "PASSWORD"}]
    made = create(world, secrets=asked).json
    assert made["secrets"] == [
        {"name": "db", "file": "db", "environment": None},
        {"name": "tls", "file": "cert.pem", "environment": None},
        {"name": "db", "file": None, "environment": "PASSWORD"},
    ]
    assert made["trust"] is None
    assert record(world, made).secrets[0] == SecretUse(name="db", file="db")
    assert update(world, made, memory=256).json["secrets"] == made["secrets"]
    changed = update(world, made, secrets=[{"name": "tls"}]).json
    assert [each["name"] for each in changed["secrets"]] == ["tls"]
    assert update(world, made, secrets=[]).json["secrets"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"secrets": [{"name": "a"}, {"name": "b", "file": "a"}]}, "have the file a"),
        (
            {"secrets": [{"name": each, "environment": "A"} for each in "ab"]},
            "have the environment A",
        ),
        (
            {"secrets": [{"name": "a", "environment": "A"}], "environment": {"A": "1"}},
            "A is a variable and a secret's",
        ),
        ({"secrets": [{"name": "a", "file": "b", "environment": "A"}]}, "name it twice"),
        ({"secrets": [{"name": "a", "file": "../b"}]}, "file"),
        ({"secrets": [{"name": "a", "file": ".."}]}, "file"),
        ({"secrets": [{"name": f"s{number}"} for number in range(17)]}, "secrets"),
        ({"trust": {"roles": ["member"]}}, "which this installation does not ask"),
        ({"trust": {"roles": []}}, "roles"),
    ],
)
def test_what_no_function_can_be_given(
    world: ApiWorld, settings: dict[str, Any], message: str
) -> None:
    assert message in refused(create(world, **settings), 400, "invalid")
    made = create(world).json
    assert message in refused(update(world, made, **settings), 400, "invalid")


# The command line


def test_secrets_by_the_command_line(pratai: Pratai, tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_bytes(b"rec0gnizable\n")
    made = pratai.json("secret-create", "db", "--file", str(path))
    assert (made["name"], set(made)) == ("db", {"name", "project_id", "created_at"})
    assert [each["name"] for each in pratai.json("secret-list")] == ["db"]
    got = pratai("secret-get", "db")
    assert (got.code, got.out) == (0, "rec0gnizable\n")
    assert pratai("secret-delete", "db").code == 0
    assert pratai.json("secret-list") == []
    assert pratai.refused("secret-get", "db")[1].startswith("the project has no secret db")


def test_a_secret_from_standard_input(pratai: Pratai, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped\n")))
    pratai.json("secret-create", "db")
    assert pratai("secret-get", "db").out == "piped"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert pratai.refused("secret-create", "db")[1] == "the value is empty"


def test_what_is_sent_is_not_shown(pratai: Pratai, tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_text("rec0gnizable")
    ran = pratai("secret-create", "db", "--file", str(path), "--debug", "-v")
    assert ran.code == 0
    assert "rec0gnizable" not in ran.out + ran.err
    got = pratai("secret-get", "db", "--debug", "-v")
    assert (got.out, "rec0gnizable" in got.err) == ("rec0gnizable", False)


def test_what_a_function_needs_by_the_command_line(pratai: Pratai, tmp_path: Path) -> None:
    (tmp_path / "echo.zip").write_bytes(ECHO)
    asked = ("--secret", "db", "--secret", "key:API_KEY", "--secret", "tls:cert.pem")
    made = pratai.json("function-create", "echo", "--zip", str(tmp_path / "echo.zip"), *asked)
    assert made["secrets"] == [
        {"name": "db", "file": "db", "environment": None},
        {"name": "key", "file": None, "environment": "API_KEY"},
        {"name": "tls", "file": "cert.pem", "environment": None},
    ]
    assert pratai.json("function-update", "echo", "--no-secrets")["secrets"] == []
    said = pratai.refused("function-update", "echo", "--trust", "member", "reader")[1]
    assert said.startswith("a trust needs Keystone, which this installation does not ask")


def test_an_application_credential_by_the_command_line(pratai: Pratai, tmp_path: Path) -> None:
    (tmp_path / "echo.zip").write_bytes(ECHO)
    (tmp_path / "secret").write_text("rec0gnizable\n")
    pratai.json("function-create", "echo", "--zip", str(tmp_path / "echo.zip"))
    change = ("function-update", "echo", "--application-credential", "credential")
    said = pratai.refused(*change, "--credential-secret-file", str(tmp_path / "secret"))[1]
    assert said.startswith("a trust needs Keystone, which this installation does not ask")
    said = pratai.refused(
        "function-update", "echo", *("--credential-secret-file", str(tmp_path / "secret"))
    )[1]
    assert said == "--credential-secret goes with --application-credential"


def test_what_is_deleted_is_not_kept(world: ApiWorld, tmp_path: Path) -> None:
    put(world)
    store = LocalSecrets(tmp_path / "secrets" / "values.json", b"k" * 32)
    assert store.get(MINE, "db") == b"rec0gnizable"
    world.api.delete("/v1/secrets/db")
    with pytest.raises(SecretMissingError):
        store.get(MINE, "db")


def test_what_carries_a_value_does_not_show_it() -> None:
    """In a log, or in a traceback with the values of variables."""
    grant = Grant("i", "rec0gnizable")
    shown = {
        "SecretPut(name='db')": SecretPut(name="db", value="rec0gnizable"),
        "ApplicationCredential(id='i')": ApplicationCredential(id="i", secret="rec0gnizable"),
        "Grant(identity='i')": grant,
        "Right(project_id='p')": Right("p", token="rec0gnizable", grant=grant),
        "Caller(project_id='p', user_id='u')": Caller(
            "p", "u", lambda _rule, _project_id: True, token="rec0gnizable"
        ),
    }
    assert {repr(each) for each in shown.values()} == set(shown)
