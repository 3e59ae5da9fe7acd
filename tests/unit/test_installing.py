"""What a build sees: that of a layer of all projects, and that of a project's own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from pratai_common import conf as configuration
from pratai_common.messages import Package
from pratai_common.package import PackageFile
from pratai_drivers.dependencies import layer_of
from pratai_drivers.engines.base import BuildSpec, Print
from pratai_drivers.engines.null import NullEngine
from pratai_drivers.installing import Installing

ROOT = Path(__file__).parents[2]
PINNED = f"--only-binary=:all:\na==1 --hash=sha256:{'0' * 64}\n"
LOCK = """{"packages": {"": {}, "node_modules/a": {
    "resolved": "https://registry.example/a.tgz", "integrity": "sha512-%s=="}}}""" % ("0" * 86)
MANIFEST = '{"dependencies": {"a": "1"}}'


class Looking(NullEngine):
    """Notes what each build sees of the package, and which folders else; leaves some files."""

    def __init__(self) -> None:
        super().__init__([])
        self.seen: dict[str, tuple[set[str], set[str]]] = {}

    def install(self, spec: BuildSpec, say: Print) -> None:
        package = spec.settings / "package"
        files = {str(each.relative_to(package)) for each in package.rglob("*") if each.is_file()}
        self.seen[spec.program] = (files, set(spec.folders))
        with (spec.settings / "new").open("wb") as pipe:
            pipe.write(b"1 http/a\n11 wheels/b\n2")
        super().install(spec, say)


def install(folder: Path, runtime: str, files: dict[str, str]) -> Looking:
    """Install what a package requires, twice: the second time there is what the first has left."""
    path = folder / "pratai.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {folder}\n")
    conf = configuration.load("test", ["--config-file", str(path)])
    content = {name: PackageFile(name, text.encode(), False) for name, text in files.items()}
    layer = layer_of("p", runtime, "runtime", {name: text.encode() for name, text in files.items()})
    assert layer is not None
    engine = Looking()
    installing = Installing(engine, conf)
    package = Package(
        project_id="p",
        function_id="f",
        version=1,
        runtime=runtime,
        archive_sha256="0" * 64,
        archive_url="http://127.0.0.1/",
    )
    for _each in range(2):
        installing.install(
            package, "runtime", layer, "image", content, lambda _said: None, lambda: False
        )
    assert engine.has_image("image")
    return engine


@pytest.mark.parametrize(
    ("runtime", "files", "others"),
    [
        ("python3", {"requirements.txt": PINNED}, {"pip/__main__.py": "", "setup.cfg": ""}),
        ("nodejs", {"package.json": MANIFEST, "package-lock.json": LOCK}, {"npm/index.js": ""}),
    ],
)
def test_a_layer_of_all_projects_is_made_of_what_its_key_covers(
    tmp_path: Path, runtime: str, files: dict[str, str], others: dict[str, str]
) -> None:
    seen = install(tmp_path, runtime, {**files, **others}).seen["install"]
    shared = {"shared"} if runtime == "python3" else set[str]()
    assert seen == (set(files), shared)


@pytest.mark.parametrize(
    ("runtime", "files", "shared"),
    [
        ("python3", {"requirements.txt": "a\n", "pip/__main__.py": ""}, {"shared"}),
        ("nodejs", {"package.json": MANIFEST, "npm/index.js": ""}, set[str]()),
    ],
)
def test_a_projects_own_is_made_of_all_that_it_has(
    tmp_path: Path, runtime: str, files: dict[str, str], shared: set[str]
) -> None:
    assert install(tmp_path, runtime, files).seen["install"] == (set(files), {"cache", *shared})


def test_of_what_is_downloaded_for_all_only_that_is_kept(tmp_path: Path) -> None:
    engine = install(tmp_path, "python3", {"requirements.txt": "a\n"})
    assert engine.seen["fetch"] == ({"requirements.txt"}, {"shared"})
    (cache,) = tmp_path.glob("nodes/*/cache")
    kept = [each.relative_to(cache).parts for each in cache.rglob("*") if each.is_file()]
    assert sorted((kind, *path) for kind, _owner, *path in kept) == [
        ("projects", "http", "a"),
        ("projects", "wheels", "b"),
        ("shared", "http", "a"),
    ]


def commands() -> Iterable[tuple[str, list[str]]]:
    """Yield the modules that the programs of the runtime run, and by which options."""
    for program in ("install", "fetch"):
        text = (ROOT / "pratai_runtimes" / "python3" / program).read_text()
        for line in re.findall(r"^python3 .*", text, re.MULTILINE):
            before, _, after = line.partition(" -m ")
            yield after.split()[0], before.split()[1:]


@pytest.mark.parametrize(("module", "options"), [*commands()])
def test_a_package_gives_the_builds_no_modules_of_python(
    module: str, options: list[str], tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text("import sys; sys.exit(42)\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}

    def ended(*arguments: str) -> int:
        command = [sys.executable, *arguments, "-m", module, "--help"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, check=False
        ).returncode

    assert ended() == 42
    assert ended(*options) != 42


def test_both_programs_of_the_runtime_are_looked_at() -> None:
    assert [module for module, _options in commands()] == ["pip", "compileall", "pip"]


def test_what_all_projects_get_is_downloaded_without_what_it_depends_on() -> None:
    """A dependency may name an address, and of what comes from there pip runs the ``setup.py``."""
    text = (ROOT / "pratai_runtimes" / "python3" / "fetch").read_text()
    assert "--only-binary=:all: --no-deps" in text
