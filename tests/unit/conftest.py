"""What unit tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_common.messages import Hello
from tests.unit.api_world import ApiWorld
from tests.unit.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A scheduler and a collector, and a node ``n`` that has said hello."""
    made = World(tmp_path)
    made.heartbeat(Hello)
    yield made
    made.store.close()


@pytest.fixture
def api_world(tmp_path: Path) -> Iterator[ApiWorld]:
    """The API's application, and its store."""
    made = ApiWorld(tmp_path)
    yield made
    made.close()
