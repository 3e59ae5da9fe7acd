"""What an engine must do, of every implementation: the door for others."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from oslo_config import cfg

from pratai_drivers.builder import Builder
from pratai_drivers.conversation import Conversation
from pratai_drivers.engines.base import OWN_FILES, Blank, Container, Engine, Files, RunSpec
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import load_message
from pratai_drivers.session import Ending, Session
from pratai_drivers.warm import Warm
from tests.contract.containers import container_name
from tests.node_api import NodeApi
from tests.packages import ECHO, package
from tests.unit.node_world import FIT


@pytest.fixture
def image(builder: Builder, node_api: NodeApi) -> str:
    package = node_api.package(ECHO)
    assert builder.known_image(package) is None
    built = builder.image(package, lambda _output: None)
    assert builder.known_image(package) == built
    return built


@pytest.fixture
def runtime(engine: Engine) -> str:
    return engine.prepare(lambda _output: None)["python3"]


def spec_of(image: str, link: Link, network: str = "none") -> RunSpec:
    return RunSpec(
        container_name(link.folder), image, link.folder, memory=64, cpus=1.0, network=network
    )


def run(engine: Engine, image: str, folder: Path, payload: bytes, network: str = "none") -> Ending:
    link = Link(folder)
    container = engine.start(spec_of(image, link, network))
    return answered(container, OWN_FILES, image, link, payload)


def answered(container: Container, files: Files, image: str, link: Link, payload: bytes) -> Ending:
    """Give an event to a container, and remove it."""
    interruption = Interruption()
    load = load_message("container", {}, files)
    warm = Warm(container, Conversation(link, container), FIT, image, load, 30)
    try:
        logs = LogCutter(lambda _seq, _content: None)
        return Session(warm, logs, interruption, {"request_id": "r"}, payload, 30).run()
    finally:
        container.remove()
        warm.discard()
        interruption.close()


def test_an_event_is_answered(engine: Engine, image: str, tmp_path: Path) -> None:
    ending = run(engine, image, tmp_path / "run", b'{"a": 1}')
    assert (ending.reason, ending.output) == (None, b'{"a": 1}')
    assert not (tmp_path / "run").exists()


def test_events_are_answered_at_a_time(engine: Engine, image: str, tmp_path: Path) -> None:
    endings: dict[int, Ending] = {}

    def answer(number: int) -> None:
        endings[number] = run(engine, image, tmp_path / f"run{number}", b"%d" % number)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: ending.output for number, ending in endings.items()} == {
        number: b"%d" % number for number in range(4)
    }


def test_images_are_known_by_name(engine: Engine, image: str) -> None:
    assert engine.has_image(image)
    assert not engine.has_image("pratai/function:0000")


def test_opening_again_changes_nothing(engine: Engine, image: str, tmp_path: Path) -> None:
    engine.open()
    assert run(engine, image, tmp_path / "run", b"1").output == b"1"


def test_a_network_that_somebody_removed_is_made_again(
    engine_and_conf: tuple[Engine, cfg.ConfigOpts], image: str, tmp_path: Path
) -> None:
    engine, conf = engine_and_conf
    name = f"{conf.installation}-{conf.driver.name}"
    if isinstance(engine, DockerEngine):
        subprocess.run(["docker", "network", "rm", name], check=True, capture_output=True)
    assert run(engine, image, tmp_path / "run", b"1", "bridge").output == b"1"


def test_a_long_path_is_no_obstacle(engine: Engine, image: str, tmp_path: Path) -> None:
    """A unix socket's own path may have no more than 107 bytes."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    if type(engine).__name__ == "NullEngine":
        folder = tmp_path  # it connects by the path itself; containers see a short one
    assert run(engine, image, folder / "run", b"1").output == b"1"


@contextmanager
def blank_container(
    engine: Engine, runtime: str, folder: Path, network: str = "none"
) -> Iterator[tuple[Blank, Link]]:
    link = Link(folder)
    blank = engine.start_blank(spec_of(runtime, link, network))
    assert blank is not None
    try:
        yield blank, link
    finally:
        blank.remove()


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_a_blank_container_becomes_a_functions(
    engine: Engine, runtime: str, image: str, network: str, tmp_path: Path
) -> None:
    with blank_container(engine, runtime, tmp_path / "run", network) as (blank, link):
        files = blank.give(image, 128, 0.5)
        assert files is not None
        ending = answered(blank, files, image, link, b'{"a": 1}')
    assert (ending.reason, ending.output) == (None, b'{"a": 1}')


def test_what_cannot_be_given_leaves_it_blank(
    engine: Engine, runtime: str, image: str, tmp_path: Path
) -> None:
    with blank_container(engine, runtime, tmp_path / "run") as (blank, link):
        assert blank.give("pratai/function:0000", 64, 1.0) is None
        files = blank.give(image, 64, 1.0)
        assert files is not None
        assert answered(blank, files, image, link, b"1").output == b"1"


def test_blank_containers_are_given_their_functions_at_a_time(
    engine: Engine, builder: Builder, node_api: NodeApi, runtime: str, tmp_path: Path
) -> None:
    def make(number: int) -> str:
        code = f"def main(payload=None):\n    return [payload, {number}]\n"
        return builder.image(node_api.package(package(code)), lambda _output: None)

    images = [make(number) for number in range(4)]
    outputs: dict[int, bytes | None] = {}

    def answer(number: int) -> None:
        with blank_container(engine, runtime, tmp_path / f"run{number}") as (blank, link):
            files = blank.give(images[number], 64, 1.0)
            assert files is not None
            ending = answered(blank, files, images[number], link, b"7")
            outputs[number] = ending.output

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if isinstance(engine, DockerEngine):
        assert outputs == {number: b"[7, %d]" % number for number in range(4)}
    else:
        assert outputs == dict.fromkeys(range(4), b"7")
