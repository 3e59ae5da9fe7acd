"""When a node unpacks an image's files: what cannot be unpacked is not read again and again."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pratai_common.errors import EngineError
from pratai_drivers.engines.docker_inventory import differs
from pratai_drivers.engines.docker_layers import Layers, is_made_on
from pratai_drivers.unpacked import Unpacked
from pratai_drivers.unpacking import UnpackError

BASE = ["seed", "runtime"]


class Docker:
    """Docker's images, and what becomes of each look into one."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure
        self.looks = 0
        self.client = self

    def inspect_image(self, image: str) -> dict[str, Any]:
        own = [] if image == "runtime" else ["files"]
        return {"RootFS": {"Layers": [*BASE, *own]}}

    @contextmanager
    def created(self, *_arguments: object) -> Iterator[str]:
        self.looks += 1
        raise self.failure
        yield ""


class Worker:
    """Does at once what it is given."""

    def submit(self, work: Callable[[str], None], image: str) -> None:
        work(image)

    def shutdown(self, *, cancel_futures: bool) -> None:
        pass


@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (UnpackError("it lies too deep"), False),
        (OSError(errno.ENOSPC, "the disk is full"), True),
        (RecursionError(), True),
        (EngineError("it does not answer"), True),
    ],
)
def test_what_cannot_be_unpacked_is_left_alone(
    failure: Exception, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker, now = Docker(failure), [1000.0]
    unpacked = Unpacked(tmp_path / "unpacked", 100)
    layers = Layers(docker, unpacked, "test", lambda: now[0])  # type: ignore[arg-type]
    monkeypatch.setattr(layers, "_worker", Worker())
    for _event in range(3):
        assert layers.lend("image", "runtime") is None
    assert docker.looks == 1
    now[0] += 60
    assert layers.lend("image", "runtime") is None
    assert docker.looks == 1 + again
    # One that was made anew is looked at in any case.
    layers.unpack("image")
    assert docker.looks == 2 + again


@pytest.mark.parametrize(
    ("layers", "is_one"),
    [
        ([*BASE, "files"], True),
        ([*BASE, "packages", "files"], True),
        (BASE, False),
        ([*BASE, "packages", "files", "more"], False),
        (["seed", "another", "files"], False),
        (["files"], False),
        ([], False),
    ],
)
def test_which_layers_a_functions_image_has(layers: list[str], is_one: bool) -> None:
    assert is_made_on(BASE, layers) is is_one


def image(*layers: str, **config: object) -> dict[str, Any]:
    return {"Config": {"User": "pratai", **config}, "RootFS": {"Layers": list(layers)}}


@pytest.mark.parametrize(
    ("pulled", "said"),
    [
        (image(*BASE, "files"), None),
        (image(*BASE, "files", User="root"), "another User"),
        (image(*BASE), "layers that are not a function's"),
        (image("seed", "another", "files"), "layers that are not a function's"),
    ],
)
def test_what_is_pulled_is_made_on_the_runtime(pulled: dict[str, Any], said: str | None) -> None:
    assert differs(pulled, image(*BASE)) == said
