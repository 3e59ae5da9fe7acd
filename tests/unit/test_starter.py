"""What a start leaves that fails: nothing, whatever it was that failed."""

import errno
import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from pratai_drivers.blanks import Kind
from pratai_drivers.folders import runs_path
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from tests.unit.node_world import FIT
from tests.unit.pool_world import PoolWorld

KIND = Kind("null/python3", "none")


@pytest.fixture
def world(tmp_path: Path) -> PoolWorld:
    return PoolWorld(tmp_path)


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    made = Interruption()
    yield made
    made.close()


def refuse(*_: object) -> NoReturn:
    raise OSError(errno.EMFILE, "Too many open files")


def open_files() -> set[str]:
    """Return what this process has open; no two sockets have the same name."""
    gc.collect()  # else some of a former test may go at any moment
    targets = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # what this looked with
            targets.add(str(each.readlink()))
    return targets


def assert_fails(world: PoolWorld, start: Callable[[], object]) -> None:
    with pytest.raises(OSError, match="Too many open files"):
        start()
    assert world.engine.living == []
    assert list(runs_path(world.conf).iterdir()) == []
    assert world.starter.starting == 0


@pytest.mark.parametrize("what", ["selectors.DefaultSelector", "socket.socket.bind"])
def test_nothing_is_left_where_the_node_has_no_more_files(
    world: PoolWorld, interruption: Interruption, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    with monkeypatch.context() as short:
        short.setattr(what, refuse)
        assert_fails(world, lambda: world.starter.start(FIT, "image"))
        assert_fails(world, lambda: world.starter.start_blank(KIND, interruption))
    warm = world.starter.start(FIT, "image")
    assert (world.engine.living, world.starter.starting) == ([warm.container], 1)
    warm.discard()
    blank = world.starter.start_blank(KIND, interruption)
    assert blank is not None
    assert len(world.engine.living) == 1
    blank.discard()


def test_nothing_is_left_of_a_blank_one_whose_runner_cannot_be_heard(
    world: PoolWorld, interruption: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "accept", refuse)
    assert_fails(world, lambda: world.starter.start_blank(KIND, interruption))


def test_a_link_that_cannot_be_made_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_files()
    with monkeypatch.context() as short:
        short.setattr(socket.socket, "listen", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            Link(tmp_path / "run")
    assert open_files() <= before
    assert list(tmp_path.iterdir()) == []
    Link(tmp_path / "run").close()
