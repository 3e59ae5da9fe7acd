"""A real Horizon at a real Keystone, the platform behind them, and a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.horizon import Horizon, Surfer, chromium, surfing
from tests.keystone import Keystone
from tests.packages import package
from tests.stack import Stack

HELLO = package("""
    import logging

    def main(payload=None):
        logging.getLogger("pratai").info("greeting %s", payload)
        return {"hello": payload}
""")
FAILING = package("""
    def main(payload=None):
        raise ValueError("no greeting for today")
""")


@pytest.fixture(scope="package")
def identity() -> Iterator[Keystone]:
    """A Keystone of the package's own, whose catalogue no other stack changes."""
    running = Keystone()
    yield running
    running.remove()


@pytest.fixture(scope="package")
def platform(identity: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The platform, whose functions run in Docker; its session is that of a member of demo."""
    with identity.stack(tmp_path_factory.mktemp("platform"), identity.settings()) as running:
        yield running


@pytest.fixture(scope="package")
def hello(platform: Stack) -> str:
    """A function that says what it got."""
    return platform.function(HELLO, name="hello")


@pytest.fixture(scope="package")
def failing(platform: Stack) -> str:
    """A function that raises."""
    return platform.function(FAILING, name="failing")


@pytest.fixture(scope="package")
def horizon(identity: Keystone, platform: Stack) -> Iterator[Horizon]:
    running = Horizon(identity)
    yield running
    running.service.remove()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def member(horizon: Horizon, browser: Browser) -> Iterator[Surfer]:
    """Who may change and run what the project has."""
    with surfing(horizon, browser, "member") as surfer:
        yield surfer


@pytest.fixture(scope="package")
def reader(horizon: Horizon, browser: Browser) -> Iterator[Surfer]:
    """Who may see what the project has."""
    with surfing(horizon, browser, "reader") as surfer:
        yield surfer


@pytest.fixture(scope="package")
def administrator(horizon: Horizon, browser: Browser) -> Iterator[Surfer]:
    with surfing(horizon, browser, "admin") as surfer:
        yield surfer
