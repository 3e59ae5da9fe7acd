"""A backup is taken of a stack at work, as the guide says, and another one goes on from it."""

import shutil
from pathlib import Path
from typing import Any

from pratai_common import limits
from tests.packages import ECHO
from tests.pages import ROOT, Command, Reader, commands
from tests.stack import Stack

PAGE = ROOT / "doc" / "source" / "admin" / "backup.rst"
LARGE = "x" * (2 * limits.INLINE_BODY_BYTES)


def take(stack: Stack, backup: Path) -> None:
    """Type what the guide has for SQLite and files, of this stack; and keep the key."""
    state = stack.folder / "state"
    backup.mkdir()
    typed = [each for each in commands(PAGE) if "/var/lib/pratai" in each]
    assert len(typed) == 2
    places = (("/var/lib/pratai", str(state)), ("/backup", str(backup)))
    for old, new in places:
        typed = [each.replace(old, new) for each in typed]
    Reader(backup.parent, {}).follow(*(Command(each, "") for each in typed))
    shutil.copytree(state / "keys", backup / "keys")


def put(stack: Stack, name: str, value: str) -> None:
    answer = stack.call("POST", "/v1/secrets", json={"name": name, "value": value})
    assert answer.status_code == 201, answer.text


def shown(stack: Stack, request: dict[str, Any]) -> Any:
    return stack.get(f"/v1/requests/{request['request_id']}?include=payload")


def test_a_restored_backup_has_what_there_was(null_stack: Stack, tmp_path: Path) -> None:
    function = null_stack.function(ECHO, name="kept")
    before = [null_stack.run(function, payload) for payload in ({"n": 1}, LARGE)]
    put(null_stack, "kept", "of the backup")
    take(null_stack, tmp_path / "backup")
    after = null_stack.run(function, "too late")
    put(null_stack, "kept", "too late")

    other = Stack(tmp_path, {"driver": {"engine": "null"}})
    shutil.copytree(tmp_path / "backup", tmp_path / "state")
    other.start()
    try:
        assert [shown(other, each)["result"] for each in before] == [{"n": 1}, LARGE]
        assert shown(other, before[1])["payload"] == LARGE
        assert other.get("/v1/secrets/kept")["value"] == "of the backup"
        missing = other.call("GET", f"/v1/requests/{after['request_id']}")
        assert missing.status_code == 404
        assert other.run(function, [2])["result"] == [2]
    finally:
        other.stop()
