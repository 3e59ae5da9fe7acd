"""Fixtures that several suites share."""

from collections.abc import Iterator

import pytest

from tests.packages import ECHO
from tests.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that tests share; one that kills or stops it starts its own."""
    running = Stack(tmp_path_factory.mktemp("stack")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def echo(stack: Stack) -> str:
    """An ordinary function."""
    return stack.function(ECHO)


@pytest.fixture
def still_fine(stack: Stack, echo: str) -> Iterator[None]:
    """After the test an ordinary function runs as ever."""
    yield
    assert stack.run(echo, {"a": [1, None, "ö"]})["result"] == {"a": [1, None, "ö"]}
