"""What is on the disk of secrets that are kept on this machine, and who reads it."""

import fcntl
import json
import os
import stat
from pathlib import Path

import pytest

from pratai_api.secret_stores.base import (
    Right,
    SecretMissingError,
    SecretRefusedError,
    SecretsUnavailableError,
)
from pratai_api.secret_stores.local import LocalSecrets

KEY, MINE, OTHERS = b"k" * 32, Right("mine"), Right("others")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "values.json"


@pytest.fixture
def store(path: Path) -> LocalSecrets:
    return LocalSecrets(path, KEY)


def test_the_file_has_no_value_and_is_its_owners_alone(path: Path, store: LocalSecrets) -> None:
    before = os.umask(0)
    try:
        store.put(MINE, "db", b"recognizable")
    finally:
        os.umask(before)
    content = path.read_bytes()
    assert b"db" in content  # the search finds what is there
    assert b"recognizable" not in content
    assert b"cmVjb2duaXphYmxl" not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_another_key_opens_nothing(path: Path, store: LocalSecrets) -> None:
    store.put(MINE, "db", b"value")
    with pytest.raises(SecretsUnavailableError, match="another key"):
        LocalSecrets(path, b"l" * 32).get(MINE, "db")
    assert store.get(MINE, "db") == b"value"


@pytest.mark.parametrize(("project", "name"), [("mine", "other"), ("others", "db")])
def test_a_value_passes_for_no_other(
    path: Path, store: LocalSecrets, project: str, name: str
) -> None:
    """Whoever can write the file cannot have a function of theirs read another's secret."""
    store.put(MINE, "db", b"value")
    content = json.loads(path.read_text())
    content.setdefault(project, {})[name] = content["mine"]["db"]
    path.write_text(json.dumps(content))
    with pytest.raises(SecretsUnavailableError, match="damaged"):
        store.get(Right(project), name)
    assert store.get(MINE, "db") == b"value"


def test_a_damaged_file_is_left_as_it_is(path: Path, store: LocalSecrets) -> None:
    store.put(MINE, "db", b"value")
    path.write_bytes(b"damaged")
    for use in (
        lambda: store.get(MINE, "db"),
        lambda: store.put(MINE, "db", b"new"),
        lambda: store.list(MINE),
        lambda: store.delete(MINE, "db"),
    ):
        with pytest.raises(SecretsUnavailableError, match="cannot be read"):
            use()
    assert path.read_bytes() == b"damaged"


def test_a_disk_that_takes_nothing(path: Path, store: LocalSecrets) -> None:
    path.parent.write_bytes(b"a file where the folder should be")
    with pytest.raises(SecretsUnavailableError, match="cannot be"):
        store.put(MINE, "db", b"value")
    path.parent.unlink()
    store.put(MINE, "db", b"value")


def test_a_project_has_no_more_than_it_may(
    store: LocalSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pratai_api.secret_stores.local._MOST", 2)
    store.put(MINE, "a", b"1")
    store.put(MINE, "b", b"1")
    with pytest.raises(SecretRefusedError, match="the project has 2 secrets"):
        store.put(MINE, "c", b"1")
    store.put(MINE, "b", b"2")  # a new value of one that is there
    store.put(OTHERS, "c", b"1")
    with pytest.raises(SecretMissingError):
        store.get(MINE, "c")


def test_another_process_that_does_not_let_go(path: Path, store: LocalSecrets) -> None:
    store.put(MINE, "db", b"value")
    hasty = LocalSecrets(path, KEY, lock_seconds=0.1)
    with path.with_suffix(".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for use in (lambda: hasty.put(MINE, "db", b"new"), lambda: hasty.delete(MINE, "db")):
            with pytest.raises(SecretsUnavailableError, match="another process holds"):
                use()
        assert hasty.get(MINE, "db") == b"value"  # who reads waits for nobody
    hasty.put(MINE, "db", b"new")
    assert store.get(MINE, "db") == b"new"
