"""Keys in files: what is written, what is refused, and a ring that follows the folder."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.auth import load_certificate

from pratai_common import keys
from pratai_common.conf import load
from pratai_common.curve import is_loopback, open_curve
from pratai_common.key_files import (
    KeyFileError,
    make_pair,
    public_path,
    read_pair,
    read_public,
    secret_path,
)
from pratai_common.key_ring import LOOK_SECONDS, KeyRing
from pratai_common.senders import CONTROL_PLANE, Identity, Role

SCHEDULER, COLLECTOR = Identity(Role.SCHEDULER), Identity(Role.COLLECTOR)
NODE = Identity(Role.NODE, "n1")


def run_keys(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int:
    conf = folder.parent / "keys.conf"
    conf.write_text(f"[sockets]\nkeys_path = {folder}\n")
    monkeypatch.setattr(sys, "argv", ["pratai-keys", "--config-file", str(conf), *words])
    return keys.main()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the keys of the control plane and of one node."""
    for identity in (*map(Identity, CONTROL_PLANE), NODE):
        make_pair(tmp_path / "keys.d", identity)
    return tmp_path / "keys.d"


# Files


def test_a_pair_is_as_zeromq_has_it_and_the_secret_is_its_owners(folder: Path) -> None:
    public, secret = public_path(folder, NODE), secret_path(folder, NODE)
    assert (public, secret) == (folder / "node/n1.key", folder / "node/n1.key_secret")
    pair = read_pair(secret)
    assert zmq.curve_public(pair.secret) == pair.public == read_public(public)
    assert load_certificate(secret) == (pair.public, pair.secret)
    assert pair.secret not in public.read_bytes()
    assert [path.stat().st_mode & 0o777 for path in (public, secret)] == [0o644, 0o600]
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".key", ".key_secret"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "No public key found"),
        ("no key at all\n", "No public key found"),
        ('public-key = "short"\n', "not one of 40 characters"),
        (f'public-key = "{"~" * 40}"\n', "not one of 40 characters"),
        (f'public-key = "{"#" * 40}"\n', "not one of 40 characters"),
        ("public-key\n", "a line has nothing behind its name"),
        ("\0\udcff" * 20, "No public key found"),
    ],
)
def test_a_file_with_another_text_is_no_key(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "scheduler.key"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(KeyFileError, match=f"{path} has no key.*{why}"):
        read_public(path)


def test_a_secret_that_others_may_read_is_refused(folder: Path) -> None:
    path = secret_path(folder, SCHEDULER)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match=f"can be read by others.*chmod 600 {path}"):
        read_pair(path)
    path.chmod(0o400)
    assert read_pair(path).public == read_public(public_path(folder, SCHEDULER))


def test_a_secret_has_to_be_there_and_its_own(folder: Path) -> None:
    public, secret = public_path(folder, NODE), secret_path(folder, NODE)
    public.chmod(0o600)
    with pytest.raises(KeyFileError, match="a public key alone"):
        read_pair(public)
    other = read_pair(secret_path(folder, SCHEDULER)).public.decode()
    secret.write_text(secret.read_text().replace(read_public(public).decode(), other))
    with pytest.raises(KeyFileError, match="two keys that are no pair"):
        read_pair(secret)
    with pytest.raises(KeyFileError, match="Invalid certificate file"):
        read_pair(folder / "gone.key_secret")
    with pytest.raises(KeyFileError, match="has no key"):
        read_public(folder / "node")


# The command


def test_the_command_makes_keys_and_never_overwrites_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys.d"
    assert run_keys(monkeypatch, folder, "init") == 0
    assert capsys.readouterr().out.count(": made ") == 4
    assert run_keys(monkeypatch, folder, "node", "n1") == 0
    made = {path: path.read_bytes() for path in folder.rglob("*.key*")}
    assert len(made) == 10
    capsys.readouterr()
    for words in (["init"], ["node", "n1"]):
        assert run_keys(monkeypatch, folder, *words) == 0
    assert capsys.readouterr().out.count("left as it is") == 5
    assert {path: path.read_bytes() for path in folder.rglob("*.key*")} == made
    assert run_keys(monkeypatch, folder, "node", "n1", "--replace") == 0
    assert "node n1: replaced" in capsys.readouterr().out
    changed = {path.name for path, content in made.items() if path.read_bytes() != content}
    assert changed == {"n1.key", "n1.key_secret"}


def test_the_command_lists_who_is_admitted_and_what_is_no_key(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_keys(monkeypatch, folder, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [*CONTROL_PLANE, "node n1"]
    assert lines[4].split("\t")[1].encode() == read_public(public_path(folder, NODE))
    public_path(folder, COLLECTOR).write_text("x")
    assert run_keys(monkeypatch, folder, "list") == 1
    told = capsys.readouterr()
    assert f"{folder}/collector.key has no key" in told.err
    assert len(told.out.splitlines()) == 4


@pytest.mark.parametrize("name", ["../n1", "", ".n1", "a/b", "n" * 64, "n1\n"])
def test_a_name_that_is_none_of_a_node_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "keys.d"
    with pytest.raises(SystemExit) as refused:
        run_keys(monkeypatch, folder, "node", name)
    assert refused.value.code == 2
    assert "is no name of a node" in capsys.readouterr().err
    assert not folder.exists()
    assert run_keys(monkeypatch, folder, "node", "n1") == 0


def test_a_folder_that_cannot_be_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for words in (["init"], ["list"]):
        assert run_keys(monkeypatch, tmp_path / "file", *words) == 1
        assert "the keys cannot be kept" in capsys.readouterr().err


# The ring


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_(self) -> None:
        self.now += LOOK_SECONDS


def test_a_ring_follows_its_folder(folder: Path) -> None:
    clock = Clock()
    ring = KeyRing(folder, clock)
    first = read_public(public_path(folder, NODE))
    assert ring.owner(first) == NODE
    assert ring.key(NODE) == first
    assert ring.owner(read_public(public_path(folder, SCHEDULER))) == SCHEDULER
    assert ring.owner(zmq.curve_keypair()[0]) is None

    make_pair(folder, Identity(Role.NODE, "n2"))
    second = read_public(folder / "node/n2.key")
    assert ring.owner(second) is None  # it has just looked
    clock.pass_()
    assert ring.owner(second) == Identity(Role.NODE, "n2")

    make_pair(folder, NODE)
    clock.pass_()
    assert ring.owner(first) is None
    assert ring.key(NODE) == read_public(public_path(folder, NODE)) != first

    public_path(folder, NODE).unlink()
    clock.pass_()
    assert ring.key(NODE) is None
    assert ring.owner(second) == Identity(Role.NODE, "n2")


def test_a_file_that_is_no_key_yet_admits_when_it_is_one(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As while it is being copied."""
    clock = Clock()
    ring = KeyRing(folder, clock)
    path = public_path(folder, NODE)
    whole = path.read_bytes()
    path.write_bytes(whole[:30])
    for _ in range(3):
        clock.pass_()
        assert ring.key(NODE) is None
        assert ring.key(SCHEDULER) is not None
    assert caplog.text.count(f"{path} has no key") == 1
    path.write_bytes(whole)
    clock.pass_()
    assert ring.key(NODE) == read_public(path)


def test_a_key_that_is_replaced_with_an_old_date_is_noticed(folder: Path) -> None:
    """All keys are as long, and whoever copies one may keep its date."""
    clock = Clock()
    ring = KeyRing(folder, clock)
    path = public_path(folder, NODE)
    former, status = ring.key(NODE), path.stat()
    make_pair(folder.parent / "other", NODE)
    path.write_bytes(public_path(folder.parent / "other", NODE).read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    clock.pass_()
    assert ring.key(NODE) == read_public(path) != former


def test_a_file_that_could_not_be_read_is_read_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It need not change for that."""
    clock = Clock()
    path = public_path(folder, NODE)
    elsewhere = folder.parent / "kept"
    path.rename(elsewhere)
    path.mkdir()
    ring = KeyRing(folder, clock)
    for _ in range(3):
        clock.pass_()
        assert ring.key(NODE) is None
    assert caplog.text.count(f"{path} has no key") == 1
    path.rmdir()
    elsewhere.rename(path)
    clock.pass_()
    assert ring.key(NODE) == read_public(path)


def test_a_key_in_two_files_is_the_first_ones(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A node cannot be the scheduler, nor another node, by having its public key."""
    scheduler = public_path(folder, SCHEDULER)
    for name in ("a", "n2"):
        (folder / f"node/{name}.key").write_bytes(scheduler.read_bytes())
    (folder / "node/z.key").write_bytes(public_path(folder, NODE).read_bytes())
    ring = KeyRing(folder)
    assert ring.owner(read_public(scheduler)) == SCHEDULER
    assert ring.owner(read_public(public_path(folder, NODE))) == NODE
    assert [ring.key(Identity(Role.NODE, name)) for name in ("a", "n2", "z")] == [None] * 3
    assert "the key of node z is that of node n1" in caplog.text


def test_a_folder_that_cannot_be_read_changes_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    ring = KeyRing(folder, clock)
    key = ring.key(NODE)
    folder.rename(folder.with_name("elsewhere"))
    clock.pass_()
    assert ring.key(NODE) == key is not None
    assert "the keys are as they were" in caplog.text
    folder.with_name("elsewhere").rename(folder)
    public_path(folder, NODE).unlink()
    clock.pass_()
    assert ring.key(NODE) is None


def test_what_admits_and_what_revokes_is_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    ring = KeyRing(folder, clock)
    ring.key(NODE)
    assert "the key of node n1 is known from now on" in caplog.text
    public_path(folder, NODE).unlink()
    clock.pass_()
    ring.key(NODE)
    assert "the key of node n1 is no longer known" in caplog.text


# At the start of a daemon


def conf_of(tmp_path: Path, **sockets: Any) -> Any:
    path = tmp_path / "pratai.conf"
    lines = [f"{name} = {value}" for name, value in sockets.items()]
    path.write_text("\n".join(["[sockets]", *lines, ""]))
    return load("test", ["--config-file", str(path)])


def test_curve_is_the_default_and_keys_are_needed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"no secret key of scheduler: {tmp_path}.*pratai-keys"):
        open_curve(conf_of(tmp_path, keys_path=tmp_path / "gone"), SCHEDULER)


def test_a_daemon_with_its_keys_starts(tmp_path: Path, folder: Path) -> None:
    conf = conf_of(tmp_path, keys_path=folder)
    for identity in (*map(Identity, CONTROL_PLANE), NODE):
        curve = open_curve(conf, identity)
        assert curve is not None
        assert curve.knows(NODE)
    elsewhere = tmp_path / "own"
    os.rename(secret_path(folder, NODE), elsewhere)  # noqa: PTH104 - as an operator moves it
    assert open_curve(conf_of(tmp_path, keys_path=folder, secret_key=elsewhere), NODE)


def test_a_daemon_says_what_its_keys_lack(tmp_path: Path, folder: Path) -> None:
    conf = conf_of(tmp_path, keys_path=folder)
    secret_path(folder, NODE).chmod(0o644)
    with pytest.raises(SystemExit, match=r"no secret key of node n1: .*can be read by others"):
        open_curve(conf, NODE)
    secret_path(folder, NODE).chmod(0o600)
    assert open_curve(conf, NODE)

    public_path(folder, COLLECTOR).unlink()
    with pytest.raises(SystemExit, match=f"no public key of collector: {folder}/collector.key"):
        open_curve(conf, NODE)

    make_pair(folder, COLLECTOR)
    assert open_curve(conf, NODE)
    secret_path(folder, SCHEDULER).write_bytes(secret_path(folder, COLLECTOR).read_bytes())
    with pytest.raises(SystemExit, match=r"scheduler.key_secret is not the secret key of .*"):
        open_curve(conf, SCHEDULER)


@pytest.mark.parametrize("option", ["scheduler", "scheduler_bind", "collector", "collector_bind"])
def test_plain_is_refused_beyond_loopback(tmp_path: Path, option: str) -> None:
    conf = conf_of(tmp_path, security="plain", **{option: "tcp://10.0.0.10:5557"})
    with pytest.raises(SystemExit) as refused:
        open_curve(conf, SCHEDULER)
    assert f"[sockets] {option} = tcp://10.0.0.10:5557 is not on loopback" in str(refused.value)
    assert open_curve(conf_of(tmp_path, security="plain"), SCHEDULER) is None


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("tcp://127.0.0.1:5557", True),
        ("tcp://127.200.0.9:0", True),
        ("tcp://[::1]:5557", True),
        ("tcp://localhost:5557", True),
        ("tcp://lo:0", True),
        ("ipc:///run/pratai/scheduler", True),
        ("inproc://scheduler", True),
        ("tcp://127.0.0.1:0;10.0.0.10:5557", False),
        ("tcp://127.0.0.1:5557,tcp://10.0.0.10:5557", False),
        ("tcp://10.0.0.10:5557", False),
        ("tcp://0.0.0.0:5557", False),
        ("tcp://*:5557", False),
        ("tcp://[::]:5557", False),
        ("tcp://[::1:5557", False),
        ("tcp://eth0:5557", False),
        ("tcp://scheduler:5557", False),
        ("tcp://localhost.example.org:5557", False),
        ("tcp://127.0.0.1.example.org:5557", False),
        ("tcp://10.0.0.9:0;127.0.0.1:5557", False),
        ("", False),
    ],
)
def test_what_counts_as_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
