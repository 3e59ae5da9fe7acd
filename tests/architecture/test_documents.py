"""The guides name what is there: each reason, each setting, each field, each example."""

import re
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from pratai_api import event_views, schemas, views
from pratai_api.routes import ROUTES
from pratai_common import limits
from pratai_common.errors import Reason
from pratai_common.outcome import settle
from tests.pages import commands
from tests.unit.test_outcome import replace, result, running

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = ROOT / "doc" / "source"
EXAMPLES = ROOT / "examples"
README = ROOT / "README.rst"
TUTORIAL = DOCUMENTS / "user" / "tutorial.rst"
_SMALLEST = {"hello", "hello-javascript"}
_FUNCTIONS = sorted(path.parent for path in EXAMPLES.rglob("test_new_module.py"))


def section(page: Path, title: str) -> str:
    """Return the text below a title, up to the next one."""
    after = page.read_text().split(f"\n{title}\n", 1)[1].split("\n", 1)[1]
    return re.split(r"\n[^\n ][^\n]*\n[-=~]{4,}\n", after, maxsplit=1)[0]


def named(text: str) -> set[str]:
    """Return the names in the first column of the one table in a text."""
    _, *rows, _ = re.split(r"^={4,} [= ]+\n", text, flags=re.MULTILINE)
    first = [re.split(r"\s{2,}", line, maxsplit=1)[0] for line in "".join(rows).splitlines()]
    return {name for cell in first for name in re.findall(r"``(\w+)``", cell)}


def reasons() -> dict[str, tuple[str, str]]:
    """Return the status, and what is said of repetitions, by reason."""
    rows = re.findall(
        r"^   \* - ``(\w+)``\n     - (\w+)\n     - (.+)\n     - .+\n(?:       .+\n)*     - .+",
        (DOCUMENTS / "user" / "reasons.rst").read_text(),
        re.MULTILINE,
    )
    found = {reason: (status, repeated) for reason, status, repeated in rows}
    assert len(found) == len(rows)
    return found


def test_the_guide_says_of_each_reason_what_to_do() -> None:
    assert set(reasons()) == {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.THROTTLED, Reason.NODE_LOST}))
def test_what_the_guide_says_of_a_reason_is_so(reason: str) -> None:
    status, repeated = reasons()[reason]
    for retries, is_repeated in ((0, False), (1, repeated == "``retries``")):
        after = settle(replace(running(1), retries=retries), result(1, reason), 2000)
        assert after is not None
        assert (after.status.value == status, after.status.final) == (not is_repeated,) * 2


def test_the_guide_knows_what_is_repeated_otherwise() -> None:
    assert reasons()[Reason.THROTTLED] == ("none", "no")
    assert reasons()[Reason.NODE_LOST] == ("error", "three times")
    assert limits.NODE_LOST_RETRIES == 3


@pytest.mark.parametrize(
    ("title", "view"),
    [
        ("Fields of a function", views.Function),
        ("Fields of a request", views.Request),
        ("Fields of an event", event_views.Event),
        ("Fields of a subscription", event_views.Subscription),
    ],
)
def test_the_reference_has_each_field(title: str, view: type) -> None:
    text = section(DOCUMENTS / "reference" / "api.rst", title)
    assert named(text) == set(view.__struct_fields__)  # type: ignore[attr-defined]


def test_the_guide_has_each_setting() -> None:
    text = section(DOCUMENTS / "user" / "guide.rst", "Create it")
    assert named(text) == set(schemas.FunctionCreate.__struct_fields__)


def test_five_commands_lead_to_the_first_result() -> None:
    """The tests type the tutorial; README and tutorial begin alike, a command a line."""
    first = commands(README)[:5]
    assert first == commands(TUTORIAL)[:5]
    assert [each for each in first if re.search(r"&&|;|\|", each)] == []
    assert first[-1].startswith("pratai function-execute ")
    assert "five commands" in section(README, "Your first function")


def test_the_documents_have_each_example() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    page = (DOCUMENTS / "user" / "examples.rst").read_text()
    included = set(re.findall(r"include:: \.\./\.\./\.\./examples/([a-z-]+)/README\.rst", page))
    assert included | _SMALLEST == folders
    assert len(included) >= 5
    assert {name for name in _SMALLEST if f"``{name}``" not in page} == set()


@pytest.mark.parametrize("folder", _FUNCTIONS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_is_complete_and_its_own_test_passes(folder: Path) -> None:
    files = {path.name for path in folder.iterdir()}
    assert files >= {"new_module.py", "requirements.txt"}
    command = [sys.executable, "-W", "error", "-m", "unittest", "-v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "OK"), done.stderr


def test_each_example_has_such_a_test() -> None:
    modules = {path.parent for path in EXAMPLES.rglob("new_module.py")}
    assert {path for path in modules if path.name not in _SMALLEST} == set(_FUNCTIONS)


def test_the_reference_tells_each_route() -> None:
    made = runpy.run_path(str(ROOT / "doc" / "ext" / "rest_reference.py"))
    titles = {f"{route.method} {route.documented_path}" for route in ROUTES}
    lines = list(made["operations"]())
    assert {above for above, line in pairwise(lines) if line and set(line) == {"~"}} == titles
    assert len([line for line in made["routes"]() if line.startswith("   * - :ref:")]) == len(
        titles
    )
