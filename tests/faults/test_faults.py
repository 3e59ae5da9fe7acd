"""Every fault once, on one installation: what was accepted ends once, whatever dies.

The last test says what became of all of it, and that nothing has grown.
"""

from collections.abc import Iterator

import pytest

from tests.elasticsearch_server import Cluster
from tests.faults.faults import FAULTS
from tests.faults.footprint import Footprint, Usage, footprint, grown
from tests.faults.installation import SHORT, Installation, installation
from tests.faults.report import HEAD, line, total
from tests.faults.rounds import Round, endure

pytestmark = pytest.mark.alone
"""Leases are short, and lost where the processors are busy with something else."""


@pytest.fixture(scope="module")
def on(
    elasticsearch_server: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("faults"), elasticsearch_server, SHORT) as running:
        yield running


@pytest.fixture(scope="module")
def before(on: Installation) -> Footprint:
    return footprint(on)


@pytest.fixture(scope="module")
def endured() -> list[Round]:
    return []


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(on: Installation, before: Footprint, endured: list[Round], fault: str) -> None:
    found = endure(on, fault)
    endured.append(found)
    print("\n".join(["", HEAD, line(found)]))
    assert found.flawless
    assert found.accepted == found.stored > 0


def test_nothing_has_grown(on: Installation, before: Footprint, endured: list[Round]) -> None:
    print("\n".join(["", HEAD, *map(line, endured), line(total(endured))]))
    assert total(endured).rerun > 0
    assert grown(before, footprint(on)) == []


def test_what_counts_as_grown() -> None:
    """The positive control of the test before."""
    usage = Usage(processes=1, descriptors=40, memory_kib=60_000)
    made = {"images": ["a"], "networks": ["n"], "files": []}
    plain = Footprint(made, {"pratai-api": usage})
    assert grown(plain, plain) == []
    for more in (
        {"processes": 2},
        {"descriptors": 100},
        {"memory_kib": 120_000},
    ):
        after = Footprint(made, {"pratai-api": usage._replace(**more)})
        assert len(grown(plain, after)) == 1
    for what in made:
        assert len(grown(plain, plain._replace(made={**made, what: ["b"]}))) == 1
