"""What the command line says of API keys, of quotas, and of functions that are shared."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.packages import ECHO
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai


@pytest.fixture
def archive(tmp_path: Path) -> str:
    (tmp_path / "echo.zip").write_bytes(ECHO)
    return str(tmp_path / "echo.zip")


def test_a_key_from_creation_to_deletion(pratai: Pratai, archive: str) -> None:
    function = pratai.json("function-create", "echo", "--zip", archive)["function_id"]
    made = pratai.json(
        "key-create", "door", "--function", "echo", "--expires-at", "2099-01-31T08:30:00+01:00"
    )
    key = made.pop("key")
    assert key.startswith(f"{made['prefix']}_")
    assert (made["name"], made["function_id"]) == ("door", function)
    assert made["expires_at"] == "2099-01-31T07:30:00.000Z"
    other = pratai.json("key-create", "other")
    assert (other["function_id"], other["expires_at"]) == (None, None)
    listed = pratai.json("key-list")
    assert [each["prefix"] for each in listed] == [made["prefix"], other["prefix"]]
    ran = pratai("key-list")
    assert made["prefix"] in ran.out
    assert key not in ran.out + ran.err
    assert pratai("key-delete", made["prefix"], other["prefix"]).code == 0
    assert pratai.json("key-list") == []
    code, message = pratai.refused("key-delete", made["prefix"])
    assert (code, f"there is no API key {made['prefix']} (HTTP 404" in message) == (3, True)


def test_a_key_is_in_no_log_of_the_client(pratai: Pratai, api_world: ApiWorld) -> None:
    """Neither when it is made, nor when all of it is pasted where its prefix belongs."""
    ran = pratai("-v", "key-create", "door", "-f", "value", "-c", "key")
    key = ran.out.strip()
    assert key.startswith("prk_")
    assert key not in ran.err
    listed = pratai("-v", "key-list")
    assert "/v1/keys" in listed.err, "this client does log what is sent"
    deleted = pratai("-v", "key-delete", key)
    assert deleted.code == 0
    assert f"/v1/keys/{key[:16]}" in deleted.err
    assert key[17:] not in deleted.err
    assert pratai.json("key-list") == []
    paths = [each.requestPath for each, rule in api_world.audited if rule == "key:delete"]
    assert paths == [f"/v1/keys/{key[:16]}"]


def test_a_key_for_a_function_that_is_not_there(pratai: Pratai) -> None:
    code, message = pratai.refused("key-create", "door", "--function", "none")
    assert (code, "there is no function none" in message) == (3, True)
    code, message = pratai.refused("key-create", "door", "--expires-at", "2099-01-31")
    assert (code, "has no zone: add Z, or +01:00" in message) == (2, True)


def test_quotas(pratai: Pratai, archive: str) -> None:
    pratai.json("function-create", "echo", "--zip", archive)
    shown: dict[str, Any] = {each["resource"]: each for each in pratai.json("quota-show")}
    assert shown["functions"] == {
        "resource": "functions",
        "limit": None,
        "used": 1,
        "unit": None,
    }
    assert (shown["code_size"]["used"], shown["code_size"]["unit"]) == (1, "MB")
    assert pratai.json("quota-show", "--project", "default") == [*shown.values()]


def test_a_function_is_shared_and_no_more(pratai: Pratai, archive: str) -> None:
    made = pratai.json("function-create", "echo", "--zip", archive, "--share", "q", "--share", "p")
    assert made["shared_with"] == ["p", "q"]
    changed = pratai.json("function-update", "echo", "--share", "r")
    assert changed["shared_with"] == ["r"]
    assert pratai.json("function-update", "echo", "--memory", "256")["shared_with"] == ["r"]
    assert pratai.json("function-update", "echo", "--no-share")["shared_with"] == []


def test_a_function_of_another_project_is_called_by_its_id(
    pratai: Pratai, api_world: ApiWorld, archive: str
) -> None:
    """It is not shown, but may be called: it is public, or shared."""
    identity = pratai.json("function-create", "echo", "--zip", archive)["function_id"]
    api_world.store.change_function(identity, lambda old: replace(old, deleted_at=1))
    code, message = pratai.refused("function-execute", identity)
    assert (code, f"there is no function {identity}" in message) == (3, True)
    assert [each.requestPath for each, rule in api_world.audited if rule == "function:call"] == [
        f"/v1/functions/{identity}"
    ]
    assert pratai.refused("function-execute", "echo")[0] == 3
    assert len([rule for _, rule in api_world.audited if rule == "function:call"]) == 1
