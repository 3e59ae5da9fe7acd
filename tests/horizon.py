"""The real Horizon with the plug-in, and a real browser before it, as tests use them."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.keystone import Keystone
from tests.services import Service

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
              "--disable-background-networking", "--disable-component-update", "--disable-sync",
              "--no-proxy-server"]  # fmt: skip
_INSTALL = Path(__file__).parent.parent / "deploy" / "services" / "chromium.sh"
_SIZE = {"width": 1280, "height": 900}
_PATIENCE_MS = 60_000


class Horizon:
    """One Horizon, at a Keystone whose catalogue says where the API is."""

    def __init__(self, keystone: Keystone) -> None:
        self.keystone = keystone
        folder = str(keystone.service.folder)
        self.service = Service("horizon", KEYSTONE_FOLDER=folder).start()
        self.url = self.service.url


class Surfer:
    """A user with a browser: what it asked of other hosts, and what its scripts complained of."""

    def __init__(self, horizon: Horizon, context: BrowserContext) -> None:
        self.url = horizon.url
        self.context = context
        self.page = context.new_page()
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Request) -> None:
        if request.url.startswith("http") and not request.url.startswith(self.url):
            self.elsewhere.append(request.url)

    def log_in(self, user: str, password: str) -> None:
        self.page.goto(f"{self.url}/auth/login/")
        self.page.fill("#id_username", user)
        self.page.fill("#id_password", password)
        self.page.click("#loginBtn")
        self.page.wait_for_selector("#content_body")

    def open(self, path: str) -> Response:
        """Show a page of the plug-in: ``functions/`` is the panel of functions."""
        answer = self.page.goto(self.address(path))
        assert answer is not None
        return answer

    def address(self, path: str) -> str:
        dashboard = "admin" if path.startswith("cluster") else "project"
        panel, _, rest = path.partition("/")
        # Of the default panel Horizon leaves the name away.
        below = "" if panel == "overview" else f"pratai_{panel}/"
        return f"{self.url}/{dashboard}/{below}{rest}"

    def follow(self, text: str) -> None:
        """Follow a link of the page's content by what is written on it."""
        self.content.get_by_role("link", name=text, exact=True).first.click()

    def press(self, name: str) -> None:
        """Press a button of the page's content, and wait for what is shown then."""
        with self.page.expect_navigation():
            self.content.get_by_role("button", name=name, exact=True).click()

    @property
    def content(self) -> Any:
        return self.page.locator("#content_body")

    def shown_id(self) -> str:
        """Return the id that the address of the page ends in."""
        found = re.search(r"/([^/]+)/$", self.page.url)
        assert found is not None, self.page.url
        return found[1]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium, which shows nothing on any screen."""
    done = subprocess.run([_INSTALL, "install"], check=True, stdout=subprocess.PIPE, text=True)
    path = done.stdout.strip()
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def surfing(horizon: Horizon, browser: Browser, user: str) -> Iterator[Surfer]:
    """Let a user log in, with cookies of their own."""
    context = browser.new_context(viewport=_SIZE, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(_PATIENCE_MS)
    surfer = Surfer(horizon, context)
    try:
        surfer.log_in(user, horizon.keystone.password(user))
        yield surfer
    finally:
        context.close()
