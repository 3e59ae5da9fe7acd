"""The results of calls, which a node keeps one behind the other: what survives, and what goes."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from pratai_common.files import Folder, _Open
from pratai_common.messages import Result, Ticket, encode
from pratai_drivers.journal import Journal, entries
from pratai_drivers.spool import FIRST_PAUSE_MS, Spool
from tests.unit.test_node_parts import result

TICKET = Ticket(record=b"record", mac=b"mac")


def called(request_id: str = "r") -> Result:
    return replace(result(request_id), ticket=TICKET)


def files(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_calls_share_a_file_and_others_have_one_each(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    for name in ("a", "b"):
        spool.add(called(name), 0)
    assert files(tmp_path) == ["0000000001.journal"]
    spool.add(result("c"), 0)
    assert files(tmp_path) == ["0000000001.journal", "c.1.result"]
    assert spool.keys() == (("a", 1), ("b", 1), ("c", 1))
    assert spool.get(("b", 1)) == called("b")


def test_a_process_finds_what_a_former_one_has_left(tmp_path: Path) -> None:
    former = Spool(Folder(tmp_path), 0)
    for name in ("a", "b", "c"):
        former.add(called(name), 0)
    former.remove("b", 1)
    spool = Spool(Folder(tmp_path), 50)
    # It may not know that one was let go: that is sent again, and let go again.
    assert spool.keys() == (("a", 1), ("b", 1), ("c", 1))
    assert [spool.get(key) for key in spool.due(50)] == [called(each) for each in "abc"]
    spool.add(called("d"), 50)
    assert files(tmp_path) == ["0000000001.journal", "0000000002.journal"]
    for name in "abc":
        spool.remove(name, 1)
    assert files(tmp_path) == ["0000000002.journal"]
    assert spool.get(("d", 1)) == called("d")


def test_what_was_not_written_whole_is_passed_over(tmp_path: Path) -> None:
    former = Spool(Folder(tmp_path), 0)
    for name in ("a", "b"):
        former.add(called(name), 0)
    file = tmp_path / "0000000001.journal"
    whole = file.read_bytes()
    first = next(entries(whole))
    for rest in (b"", whole[first[0] + len(first[1]) : -1], bytes(64)):
        file.write_bytes(whole[: first[0] + len(first[1])] + rest)
        spool = Spool(Folder(tmp_path), 0)
        assert spool.keys() == (("a", 1),)
        assert spool.get(("a", 1)) == called("a")
    file.write_bytes(b"nothing sound")
    assert Spool(Folder(tmp_path), 0).keys() == ()
    assert files(tmp_path) == []


def test_no_file_is_left_where_nothing_is_kept(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    spool.add(called("a"), 0)
    spool.add(called("b"), 0)
    spool.remove("a", 1)
    assert spool.due(0) == []
    assert files(tmp_path) == ["0000000001.journal"]  # b is in it
    spool.remove("b", 1)
    assert spool.due(0) == []
    assert files(tmp_path) == []
    spool.add(called("c"), 0)
    assert spool.get(("c", 1)) == called("c")


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    journal = Journal(Folder(tmp_path))
    places = [journal.add(bytes([number]) * 100_000) for number in range(4)]
    assert files(tmp_path) == ["0000000001.journal", "0000000002.journal"]
    assert [journal.read(each)[:2] for each in places] == [bytes([n, n]) for n in range(4)]
    for each in places[:3]:
        journal.remove(each)
    assert files(tmp_path) == ["0000000002.journal"]


def test_what_does_not_fit_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that becomes full takes a part of it."""
    spool = Spool(Folder(tmp_path), 0)
    spool.add(called("a"), 0)
    size = (tmp_path / "0000000001.journal").stat().st_size
    with monkeypatch.context() as full:
        full.setattr("os.write", _part)
        with pytest.raises(OSError, match="No space left"):
            spool.add(called("b"), 0)
    assert spool.keys() == (("a", 1),)
    assert (tmp_path / "0000000001.journal").stat().st_size == size
    spool.add(called("c"), 0)
    assert Spool(Folder(tmp_path), 0).keys() == (("a", 1), ("c", 1))


def _part(descriptor: int, content: bytes) -> int:
    with open(f"/proc/self/fd/{descriptor}", "ab") as file:
        return file.write(content[:10])


def test_one_that_is_gone_from_the_disk_is_kept_no_longer(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    spool.add(called("a"), 0)
    (tmp_path / "0000000001.journal").unlink()
    assert [spool.get(key) for key in spool.due(FIRST_PAUSE_MS)] == [None]
    assert spool.keys() == ()


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        (called(), called(), ["0000000001.journal"]),
        (called(), result(), ["r.1.result"]),
        (result(), called(), ["0000000001.journal"]),
        (result(), result(), ["r.1.result"]),
    ],
)
def test_a_result_takes_the_place_of_a_former_one(
    tmp_path: Path, first: Result, second: Result, left: list[str]
) -> None:
    spool = Spool(Folder(tmp_path), 0)
    spool.add(first, 0)
    spool.add(replace(second, message="later"), 0)
    assert spool.due(0) == []
    assert files(tmp_path) == left
    assert spool.get(("r", 1)) == replace(second, message="later")
    spool.remove("r", 1)
    assert spool.due(0) == []
    assert files(tmp_path) == []


def test_a_process_that_finds_two_of_an_attempt_keeps_one(tmp_path: Path) -> None:
    for name in ("former", "later"):
        Journal(Folder(tmp_path)).add(encode(replace(called(), message=name)))
    (tmp_path / "r.1.result").write_bytes(encode(result()))
    spool = Spool(Folder(tmp_path), 0)
    assert spool.keys() == (("r", 1),)
    assert spool.get(("r", 1)) == replace(called(), message="later")
    assert files(tmp_path) == ["0000000002.journal"]
    spool.remove("r", 1)
    assert files(tmp_path) == []


class Watched(Folder):
    """A disk that says what it is about to do, and removes nothing while it is ``stuck``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.stuck = False
        self.on_read: Callable[[], None] = lambda: None
        self.on_write: Callable[[], None] = lambda: None

    def read(self, name: str) -> bytes:
        self.on_read()
        return super().read(name)

    def write(self, name: str, content: bytes) -> None:
        self.on_write()
        super().write(name, content)

    def remove(self, name: str) -> None:
        if self.stuck:
            raise OSError(errno.EIO, "Input/output error", name)
        super().remove(name)


@pytest.mark.parametrize("kept", [result(), called()])
def test_what_is_let_go_while_it_is_read_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: Result
) -> None:
    disk = Watched(tmp_path)
    spool = Spool(disk, 0)
    spool.add(kept, 0)

    def let_go() -> None:
        spool.remove("r", 1)
        spool.due(0)

    disk.on_read = let_go
    assert spool.get(("r", 1)) is None
    assert caplog.text == ""
    disk.on_read = lambda: None
    spool.add(kept, 0)
    for path in tmp_path.iterdir():
        path.unlink()
    assert spool.get(("r", 1)) is None
    assert "cannot be read" in caplog.text


def test_nobody_waits_while_an_output_is_taken_from_the_disk(tmp_path: Path) -> None:
    """The result is let go meanwhile, and does not come back."""
    disk = Watched(tmp_path)
    spool = Spool(disk, 0)
    spool.add(result(), 0)

    def let_go() -> None:
        thread = threading.Thread(target=spool.remove, args=("r", 1), daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()

    disk.on_write = let_go
    spool.replace(result())
    assert spool.keys() == ()
    assert files(tmp_path) == []
    spool.replace(result())
    assert files(tmp_path) == []


def test_a_disk_that_removes_nothing_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Watched(tmp_path)
    spool = Spool(disk, 0)
    spool.add(called("a"), 0)
    spool.add(result("b"), 0)
    disk.stuck = True
    for name in "ab":
        spool.remove(name, 1)
    assert spool.due(FIRST_PAUSE_MS) == []
    assert spool.keys() == ()
    for name in ("0000000001.journal", "b.1.result"):
        assert f"{name} cannot be removed" in caplog.text
    disk.stuck = False
    spool.add(called("c"), 0)
    assert spool.get(("c", 1)) == called("c")


class Closing(Folder):
    """Its open file is closed by another thread as soon as somebody has looked at it."""

    opened: _Open | None = None

    @property  # type: ignore[override]
    def _open(self) -> _Open | None:
        opened, self.opened = self.opened, None
        return opened

    @_open.setter
    def _open(self, opened: _Open | None) -> None:
        self.opened = opened


def test_a_probe_is_removed_while_another_thread_closes_a_journal(tmp_path: Path) -> None:
    disk = Closing(tmp_path)
    disk.write("probe", b"1")
    disk.opened = _Open("0000000001.journal", -1, 0)
    disk.remove("probe")
    assert files(tmp_path) == []
