"""What unit tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_common.messages import Hello
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai, served
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


@pytest.fixture
def pratai(
    api_world: ApiWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pratai]:
    """The command line, which speaks to the API of ``api_world``."""
    with served(api_world.api.application) as url:
        monkeypatch.setenv("OS_PRATAI_URL", url)
        monkeypatch.setenv("no_proxy", "*")
        yield Pratai(capsys)
