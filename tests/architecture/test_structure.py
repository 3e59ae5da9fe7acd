"""The documents say what the files are, and the files keep the rules of the code."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = [
    "pratai_common",
    "pratai_api",
    "pratai_agent",
    "pratai_scheduler",
    "pratai_drivers",
    "pratai_launcher",
    "pratai_runtimes",
    "python_prataiclient/prataiclient",
    "pratai_dashboard/pratai_dashboard",
]
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _table(text: str, title: str) -> str:
    """Return the lines from a title to the next one."""
    after = text.split(f"{title}\n", 1)[1].split("\n", 1)[1]
    return re.split(r"\n[^\n]+\n[-=~]{4,}\n", after, maxsplit=1)[0]


def test_the_way_of_a_job_names_files_that_are_there() -> None:
    table = _table((ROOT / "README.rst").read_text(), "The way of a job")
    named = re.findall(r"``([a-z_0-9/]+\.py)``", table)
    assert len(named) >= 12
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_way_of_a_job_names_functions_that_are_there() -> None:
    table = _table((ROOT / "README.rst").read_text(), "The way of a job")
    named = re.findall(r"``([a-z_0-9/]+\.py)`` ``([A-Za-z_.]+)``", table)
    assert len(named) >= 8
    for file, name in named:
        source = (ROOT / file).read_text()
        for part in name.split("."):
            assert re.search(rf"(def|class) {part}\b", source), f"{file} has no {name}"


def test_the_common_package_says_why_each_module_is_there() -> None:
    text = (ROOT / "pratai_common" / "README.md").read_text()
    described = set(re.findall(r"^- `([a-z_/]+(?:\.py)?)`", text, re.MULTILINE))
    modules = {
        str(path.relative_to(ROOT / "pratai_common"))
        for path in (ROOT / "pratai_common").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert described == modules


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_of_the_code(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "misc"}
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{function.name} imports something"
        assert not isinstance(function, ast.Global), "a global is changed"


def _decodes(call: ast.Call) -> bool:
    """Say whether a call has msgspec decode into a type."""
    into_a_type = any(each.arg == "type" for each in call.keywords)
    what = ast.unparse(call.func)
    return re.fullmatch(r"msgspec\.(convert|(json|msgpack)\.Decoder)", what) is not None or (
        re.fullmatch(r"msgspec\.(json|msgpack)\.decode", what) is not None and into_a_type
    )


def test_nothing_is_decoded_into_a_type_but_in_one_place() -> None:
    found = {
        path.relative_to(ROOT)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _decodes(node)
    }
    assert found == {Path("pratai_common/decoding.py")}


def test_a_type_ignore_names_its_code() -> None:
    for path in MODULES:
        for line in path.read_text().splitlines():
            assert not re.search(r"type: ignore(?!\[)", line), f"{path}: {line}"


def test_the_client_is_light() -> None:
    heavy = {"flask", "zmq", "docker", "msgspec", "sqlalchemy", "oslo_config"}
    for path in (ROOT / "python_prataiclient").rglob("*.py"):
        imported = set(re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.MULTILINE))
        assert not imported & heavy, path
