"""The tutorial is done as it is printed, on a stack of its own that ``make up`` starts."""

import subprocess
from pathlib import Path

from tests.pages import ROOT, Command, Reader, steps
from tests.ports import free_port

PAGE = ROOT / "doc" / "source" / "user" / "tutorial.rst"
_PORTS = ("API", "SCHEDULER", "COLLECTOR", "DRIVER")


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    ports = {f"PRATAI_{name}_PORT": str(free_port()) for name in _PORTS}
    environment = {
        **ports,
        "PRATAI_RUN": str(tmp_path / ".run"),
        "PRATAI_METRICS_PORT": str(free_port()),
        "no_proxy": "127.0.0.1",
    }
    reader = Reader(tmp_path, environment)
    todo = steps(PAGE)
    assert todo[0] == Command("make up", "")
    assert todo[-1] == Command("make down", "")
    try:
        reader.follow(*todo)
    finally:
        subprocess.run(
            [ROOT / "deploy" / "embedded.sh", "down"],
            env=reader.environment,
            check=True,
        )
