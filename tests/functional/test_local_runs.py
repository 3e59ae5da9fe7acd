"""``function-init`` and ``function-run`` on the machine's own Docker Engine: what runs there runs
as on a node, and leaves nothing.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packages import wheel
from tests.stack import BIN, build_settings
from tests.waiting import until

CEILING_SECONDS = 600
LOOKING = """
import os
from pathlib import Path

import tinything
from pratai import context

LIMITS = ("memory/memory.limit_in_bytes", "memory.max")


def main(payload=None):
    limit = next(p for p in (Path("/sys/fs/cgroup", name) for name in LIMITS) if p.exists())
    found = [tinything.VALUE, os.environ["A"], context.attempt, int(limit.read_text())]
    return [*found, os.getuid()]
"""


class Local:
    """The client's command on the machine of somebody who writes a function; no service is near."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "hello"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._environment = {**kept, "XDG_CACHE_HOME": str(home / "cache")}
        self._conf = home / "build.conf"
        self._conf.write_text(build_settings())

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BIN / "pratai", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=CEILING_SECONDS,
        )

    def function_run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run(*self.command(*arguments))

    def command(self, *arguments: str) -> list[str]:
        return ["function-run", str(self.folder), "--config-file", str(self._conf), *arguments]

    @contextmanager
    def started(self, log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The command in a process group of its own, as a shell starts it."""
        with (
            log.open("wb") as file,
            subprocess.Popen(
                [BIN / "pratai", *self.command(*arguments)],
                env=self._environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def left(self) -> list[str]:
        """Return what of its nodes is in the engine: containers and networks."""
        names = [path.name for path in (self._cache() / "nodes").glob("*")]
        found = []
        for kind, shown in (("container", "{{.Names}}"), ("network", "{{.Name}}")):
            every = ["--all"] if kind == "container" else []
            command = ["docker", kind, "ls", *every, "--format", shown]
            listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found += [each for each in listed.split() if any(name in each for name in names)]
        assert names, "it was a node"
        return found

    def _cache(self) -> Path:
        return Path(self._environment["XDG_CACHE_HOME"]) / "pratai"

    def write(self, module: str, requirements: str = "") -> None:
        (self.folder / "new_module.py").write_text(module)
        (self.folder / "requirements.txt").write_text(requirements)


@pytest.fixture
def local(tmp_path: Path) -> Local:
    made = Local(tmp_path)
    done = made.run("function-init", str(made.folder))
    assert (done.returncode, done.stderr) == (0, "")
    return made


def images() -> set[str]:
    command = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "pratai/function"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.alone
def test_the_starter_runs_as_on_a_node(local: Local) -> None:
    """Alone, for it looks at all functions' images of this machine."""
    before = images()
    done = local.function_run("--payload", '{"name": "Ada"}')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"greeting": "Hello, Ada!"})
    assert "greeting Ada\n" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("success: imports ")
    assert local.left() == []
    assert images() <= before


def test_a_starter_in_javascript_runs_too(local: Local) -> None:
    shutil.rmtree(local.folder)
    assert local.run("function-init", str(local.folder), "--runtime", "nodejs").returncode == 0
    done = local.function_run("--runtime", "nodejs", "--payload", '{"name": "Ada"}')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"greeting": "Hello, Ada!"})
    assert "greeting Ada\n" in done.stderr


def test_it_has_its_requirements_its_limits_and_its_environment(local: Local) -> None:
    for name, content in wheel("tinything", "1.0", content="VALUE = 7\n").items():
        (local.folder / name).write_bytes(bytes(content) if isinstance(content, bytes) else b"")
    local.write(LOOKING, "./tinything-1.0-py3-none-any.whl\n")
    done = local.function_run("--env", "A=b=c", "--memory", "96")
    assert done.returncode == 0, done.stderr
    value, variable, attempt, memory, user = json.loads(done.stdout)
    assert (value, variable, attempt, memory) == (7, "b=c", 1, 96 * 1024 * 1024)
    assert user != 0


@pytest.mark.parametrize(
    ("module", "timeout", "code", "said"),
    [
        (
            "def main(payload=None):\n    raise ValueError('no')\n",
            60,
            1,
            "exception: ValueError: no",
        ),
        (
            "def main(payload=None):\n    while True: pass\n",
            2,
            1,
            "timeout: it did not end within 2 s",
        ),
        ("def main(payload=None:\n", 60, 4, "new_module.py, line 1: "),
    ],
)
def test_a_failure_has_its_reason_and_its_exit_code(
    local: Local, module: str, timeout: int, code: int, said: str
) -> None:
    local.write(module)
    done = local.function_run("--timeout", str(timeout))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr.splitlines()[-1]


def test_requirements_that_are_not_there_fail_the_build(local: Local) -> None:
    local.write("def main(payload=None):\n    return 1\n", "no-such-package-as-this-one==99\n")
    done = local.function_run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "No matching distribution found" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("the build failed: installing the requirements")


def test_an_interrupt_ends_the_run_and_leaves_nothing(local: Local, tmp_path: Path) -> None:
    log = tmp_path / "log"
    local.write(
        "import time\n\n\ndef main(payload=None):\n    print('begins', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with local.started(log) as process:
        until(lambda: "begins" in log.read_text(), "its output comes while it runs")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(CEILING_SECONDS) == 130
    assert "cancelled: it was interrupted" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert local.left() == []


def test_it_runs_again_when_a_file_of_it_changes(local: Local, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with local.started(log, "--watch", "--payload", '{"name": "Ada"}') as process:
        until(lambda: "Hello, Ada!" in log.read_text(), "it has run")
        module = local.folder / "new_module.py"
        module.write_text(module.read_text().replace("Hello", "Good-bye"))
        until(lambda: "Good-bye, Ada!" in log.read_text(), "it has run again")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(CEILING_SECONDS) == 130
    assert local.left() == []


def test_what_a_killed_one_has_left_the_next_one_removes(local: Local, tmp_path: Path) -> None:
    log = tmp_path / "log"
    local.write(
        "import time\n\n\ndef main(payload=None):\n    print('begins', flush=True)\n"
        "    time.sleep(0 if payload else 600)\n    return payload\n"
    )
    with local.started(log) as process:
        until(lambda: "begins" in log.read_text(), "it runs")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(CEILING_SECONDS)
    assert local.left() != [], "the positive control"
    assert local.function_run("--payload", "1").returncode == 0
    assert local.left() == []
