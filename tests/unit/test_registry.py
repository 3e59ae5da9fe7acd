"""When a node asks its registry for an image, and when it makes the image itself."""

import queue
from pathlib import Path
from typing import Any

import pytest

from pratai_common import conf as configuration
from pratai_common.errors import EngineError, ImageMissingError
from pratai_drivers.engines.base import Remote
from pratai_drivers.engines.docker_network import control_plane
from pratai_drivers.engines.null import NullEngine
from pratai_drivers.registry import Registry, open_registry

REMOTE = Remote("registry.example:5000", None, None, 5)


class Harbour(NullEngine):
    """An engine with a registry, which can be away."""

    def __init__(self) -> None:
        super().__init__([])
        self.stored = {"there"}
        self.asked = 0
        self.away = False
        self.tried: queue.Queue[str] = queue.Queue()

    def pull(self, image: str, base: str, remote: Remote) -> None:
        self.asked += 1
        if self.away:
            raise EngineError("it is away")
        if image not in self.stored:
            raise ImageMissingError("it is not there")

    def push(self, image: str, remote: Remote) -> None:
        self.tried.put(image)
        if self.away:
            raise EngineError("it is away")
        self.stored.add(image)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_that_failed_is_left_alone_for_a_minute() -> None:
    engine, clock, said = Harbour(), Clock(), list[bytes]()
    registry = Registry(engine, REMOTE, clock)
    assert registry.pull("there", "runtime", said.append)
    assert not registry.pull("elsewhere", "runtime", said.append)
    assert said[-1] == b"the registry does not have it: it is not there\n"
    engine.away = True
    assert not registry.pull("there", "runtime", said.append)
    assert said[-1] == b"the registry failed\n"
    engine.away = False
    assert not registry.pull("there", "runtime", said.append)
    assert (engine.asked, said[-1]) == (3, b"the registry failed a moment ago and is not asked\n")
    clock.now += 60
    assert registry.pull("there", "runtime", said.append)


def test_images_are_pushed_one_after_the_other(caplog: pytest.LogCaptureFixture) -> None:
    engine, clock = Harbour(), Clock()
    registry = Registry(engine, REMOTE, clock)
    registry.start()
    registry.push("a")
    registry.push("b")
    assert [engine.tried.get(timeout=30) for _ in range(2)] == ["a", "b"]
    engine.away = True
    registry.push("c")
    assert engine.tried.get(timeout=30) == "c"
    registry.push("d")
    registry.stop()
    assert engine.stored == {"there", "a", "b"}
    assert "c could not be pushed: it is away" in caplog.text


def conf(folder: Path, **options: Any) -> Any:
    path = folder / "pratai.conf"
    lines = [f"{name} = {value}" for name, value in options.items()]
    path.write_text("\n".join(["[registry]", *lines, ""]))
    return configuration.load("test", ["--config-file", str(path)])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://registry.example:5000", "plain http, which is for loopback alone"),
        ("https://registry.example/path", "a host with its port alone"),
        ("https://user:secret@registry.example", "a host with its port alone"),
        ("https://registry.example:5000", "credentials are needed"),
    ],
)
def test_an_address_that_cannot_be_is_refused(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(EngineError, match=why) as raised:
        open_registry(conf(tmp_path, url=url), Harbour())
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:5000"])
def test_an_address_that_can_be_is_taken(tmp_path: Path, url: str) -> None:
    assert open_registry(conf(tmp_path, url=url), Harbour()) is not None


def test_without_an_address_there_is_none(tmp_path: Path) -> None:
    assert open_registry(conf(tmp_path), Harbour()) is None


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ("user:password\n", 0o644, "can be read by others than its owner: chmod 600"),
        ("user\n", 0o600, "is to have one line, USER:PASSWORD"),
        ("user:password\nmore\n", 0o600, "is to have one line, USER:PASSWORD"),
        ("user:password\n", 0o600, None),
    ],
)
def test_credentials_are_a_line_that_nobody_else_may_read(
    tmp_path: Path, content: str, mode: int, why: str | None
) -> None:
    path = tmp_path / "credentials"
    path.write_text(content)
    path.chmod(mode)
    settings = conf(tmp_path, url="https://registry.example", credentials=path)
    if why is None:
        assert open_registry(settings, Harbour()) is not None
    else:
        with pytest.raises(EngineError, match=why) as raised:
            open_registry(settings, Harbour())
        assert "password\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "added"),
    [("https://192.0.2.7:5000", {"192.0.2.7"}), ("https://[2001:db8::1]:5000", set[str]())],
)
def test_functions_and_builds_do_not_reach_it(tmp_path: Path, url: str, added: set[str]) -> None:
    without = set(control_plane(conf(tmp_path)))
    assert set(control_plane(conf(tmp_path, url=url))) - without == added
