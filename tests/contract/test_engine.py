"""What an engine must do, of every implementation: the door for others."""

import subprocess
import threading
from pathlib import Path

import pytest
from oslo_config import cfg

from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import Engine, RunSpec
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.interruption import Interruption
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.session import Ending, Session
from tests.node_api import NodeApi
from tests.packages import ECHO


@pytest.fixture
def image(builder: Builder, node_api: NodeApi) -> str:
    package = node_api.package(ECHO)
    assert builder.known_image(package) is None
    built = builder.image(package, lambda _output: None)
    assert builder.known_image(package) == built
    return built


def run(engine: Engine, image: str, folder: Path, payload: bytes, network: str = "none") -> Ending:
    link = Link(folder)
    interruption = Interruption()
    spec = RunSpec(
        name=f"pratai-test-{folder.parent.name}-{folder.name}",
        image=image,
        link=link.folder,
        memory=64,
        cpus=1.0,
        network=network,
    )
    container = engine.start(spec)
    try:
        logs = LogCutter(lambda _seq, _content: None)
        session = Session(link, logs, interruption, {"request_id": "r"}, payload, 30, 30)
        return session.run(container)
    finally:
        container.remove()
        container.remove()
        link.close()
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
