"""Whoever reads the built documents tells nobody: a page fetches nothing from elsewhere."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

CONFIGURATION = Path(__file__).parent.parent.parent / "doc" / "source"


class _Fetched(HTMLParser):
    """Collects what a browser fetches for a page, and what scripts stand in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_script = tag == "script"
        for name, value in attrs:
            if name == "src" or (name, tag) == ("href", "link"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


def test_a_page_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    pages, built = tmp_path / "pages", tmp_path / "built"
    pages.mkdir()
    (pages / "index.rst").write_text("A page\n======\n\nIts text.\n")
    command = (sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-c", CONFIGURATION)
    done = subprocess.run([*command, pages, built], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    fetched = _Fetched(built / "index.html")
    assert fetched.addresses != []
    for address in fetched.addresses:
        path = (built / address.split("?")[0]).resolve()
        assert "//" not in address
        assert path.is_relative_to(built)
    assert [each for each in fetched.scripts if "//" in each] == []
