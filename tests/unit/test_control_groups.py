"""What the kernel says of a container's memory and processor time, in control groups of both
versions.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_drivers.engines.control_groups import ControlGroups


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[ControlGroups]:
    opened = ControlGroups("c0ffee", tmp_path)
    yield opened
    opened.close()


def write(root: Path, name: str, content: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "seconds"),
    [
        ("cpuacct/docker/c0ffee/cpuacct.usage", "2500000000\n", 2.5),
        ("docker/c0ffee/cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n", 2.5),
        ("system.slice/docker-c0ffee.scope/cpu.stat", "usage_usec 500000\n", 0.5),
        ("docker/c0ffee/cpu.stat", "nr_periods 0\nnr_throttled 0\n", None),
        ("cpuacct/docker/c0ffee/cpuacct.usage", "", None),
        ("cpuacct/docker/another/cpuacct.usage", "2500000000\n", None),
    ],
)
def test_processor_time(
    groups: ControlGroups, tmp_path: Path, name: str, content: str, seconds: float | None
) -> None:
    assert groups.cpu_seconds() is None, "its control group is not seen"
    write(tmp_path, name, content)
    assert groups.cpu_seconds() == seconds


@pytest.mark.parametrize(
    ("name", "content", "kills"),
    [
        ("memory/docker/c0ffee/memory.oom_control", "under_oom 0\noom_kill 2\n", 2),
        ("docker/c0ffee/memory.events", "low 0\noom 3\noom_kill 1\n", 1),
        ("docker/c0ffee/memory.events", "low 0\n", 0),
    ],
)
def test_processes_that_were_killed_for_memory(
    groups: ControlGroups, tmp_path: Path, name: str, content: str, kills: int
) -> None:
    assert groups.oom_kills() == 0
    write(tmp_path, name, content)
    assert groups.oom_kills() == kills


@pytest.mark.parametrize(
    "name", ["memory/docker/c0ffee/memory.max_usage_in_bytes", "docker/c0ffee/memory.peak"]
)
def test_the_most_memory(groups: ControlGroups, tmp_path: Path, name: str) -> None:
    assert groups.peak_memory() is None
    write(tmp_path, name, "7614464\n")
    assert groups.peak_memory() == 7614464


def test_what_changes_is_read_anew(groups: ControlGroups, tmp_path: Path) -> None:
    path = write(tmp_path, "docker/c0ffee/memory.events", "oom_kill 0\n")
    assert groups.oom_kills() == 0
    path.write_text("oom_kill 1\n")
    assert groups.oom_kills() == 1


def test_nothing_is_told_of_one_that_is_closed(groups: ControlGroups, tmp_path: Path) -> None:
    write(tmp_path, "docker/c0ffee/cpu.stat", "usage_usec 1\n")
    assert groups.cpu_seconds() is not None
    groups.close()
    assert groups.cpu_seconds() is None
