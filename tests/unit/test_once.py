"""``pratai-driver --once`` as a process, with an engine that answers what came in: what it reads,
says, and ends with. With Docker: ``tests/functional/test_local_runs.py``.
"""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packages import package
from tests.stack import BIN
from tests.waiting import until

CEILING_SECONDS = 60
MODULE = "def main(payload=None):\n    return payload\n"


class Local:
    """The node's program with a folder of its own; ``folder`` is a function's."""

    def __init__(self, home: Path) -> None:
        self.state = home / "state"
        self.folder = home / "function"
        self.folder.mkdir()
        (self.folder / "new_module.py").write_text(MODULE)
        (self.folder / "requirements.txt").write_text("")
        self._conf = home / "pratai.conf"
        lines = ["[DEFAULT]", f"state_path = {self.state}", "[driver]", "engine = null", ""]
        self._conf.write_text("\n".join(lines))

    def command(self, path: Path, *arguments: str) -> list[str]:
        own = ["--config-file", str(self._conf), "--once", str(path)]
        return [str(BIN / "pratai-driver"), *own, *arguments]

    def run(
        self, *arguments: str, path: Path | None = None, payload: str = ""
    ) -> tuple[int, str, str]:
        """Return the exit code, and what it wrote."""
        done = subprocess.run(
            self.command(path or self.folder, *arguments),
            input=payload,
            capture_output=True,
            text=True,
            check=False,
            timeout=CEILING_SECONDS,
        )
        return done.returncode, done.stdout, done.stderr

    @contextmanager
    def watching(self, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
        """One that runs the function again when it changes; what it writes is in ``log``."""
        with (
            log.open("wb") as file,
            subprocess.Popen(
                self.command(self.folder, "--watch"), stdout=file, stderr=file
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def local(tmp_path: Path) -> Local:
    return Local(tmp_path)


def test_the_result_is_on_standard_output(local: Local) -> None:
    code, out, err = local.run("--payload", "-", payload='{"a": "ü"}')
    assert (code, out) == (0, '{"a": "ü"}\n')
    assert err.splitlines()[-1].startswith("success: imports ")
    assert local.run()[:2] == (0, "null\n")


def test_a_file_brings_a_payload_and_a_zip_a_function(local: Local, tmp_path: Path) -> None:
    payload, archive = tmp_path / "payload.json", tmp_path / "f.zip"
    payload.write_text("[1, 2]")
    archive.write_bytes(package(MODULE))
    assert local.run("--payload", str(payload), path=archive)[:2] == (0, "[1, 2]\n")


@pytest.mark.parametrize(
    ("module", "payload", "said"),
    [
        (MODULE, "{", "the payload is no JSON: "),
        ("def main(", "null", "new_module.py, line 1: '(' was never closed"),
        ("x = 1\n", "null", "new_module.py defines no main(payload=None)"),
    ],
)
def test_what_no_node_would_be_given_is_refused_in_a_line(
    local: Local, module: str, payload: str, said: str
) -> None:
    (local.folder / "new_module.py").write_text(module)
    code, out, err = local.run("--payload", "-", payload=payload)
    assert (code, out, len(err.splitlines())) == (4, "", 1)
    assert err.startswith(said)
    assert not local.state.exists(), "it was refused before a node was made"


def test_what_is_not_there_is_refused(local: Local, tmp_path: Path) -> None:
    code, out, err = local.run(path=tmp_path / "nothing")
    assert (code, out, "No such file or directory" in err) == (4, "", True)
    assert local.run("--memory", "1")[0] == 1, "the command line is the configuration's"


def test_it_runs_again_when_a_file_changes_and_ends_when_interrupted(
    local: Local, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def runs() -> int:
        return log.read_text().count("success: ")

    with local.watching(log) as process:
        until(lambda: runs() == 1, "it has run")
        (local.folder / "new_module.py").write_text(f"# changed\n{MODULE}")
        until(lambda: runs() == 2, "it has run again")
        (local.folder / "new_module.py").write_text("def main(")
        until(lambda: "was never closed" in log.read_text(), "what is wrong is said")
        (local.folder / "data.txt").write_text("new")
        (local.folder / "new_module.py").write_text(MODULE)
        until(lambda: runs() == 3, "and it goes on")
        process.send_signal(signal.SIGINT)
        assert process.wait(CEILING_SECONDS) == 130
    assert log.read_text().count("--- changed: once more") >= 3


def test_several_run_beside_one_another_under_names_of_their_own(
    local: Local, tmp_path: Path
) -> None:
    with local.watching(tmp_path / "log") as process:
        until(lambda: "success: " in (tmp_path / "log").read_text(), "it has run")
        assert local.run()[0] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(CEILING_SECONDS) == 130
    first, second = sorted(path.name for path in (local.state / "nodes").iterdir())
    assert (first[-2:], second[-2:]) == ("-1", "-2")
    assert local.run()[0] == 0
    assert len(list((local.state / "nodes").iterdir())) == 2, "a name that is free is taken again"
