"""What the client does on the machine of whoever writes a function: starters, packing, the node's
program.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from prataiclient import packing as client_packing

from pratai_common.languages import language_of
from pratai_common.package import check
from pratai_drivers import packing as node_packing
from tests.unit.client_world import Pratai


def test_a_starter_is_a_function_whose_test_passes(pratai: Pratai, tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    ran = pratai("function-init", str(folder))
    assert (ran.code, ran.err) == (0, "")
    written = ["new_module.py", "requirements.txt", "test_new_module.py"]
    assert ran.out.splitlines() == [str(folder / name) for name in written]
    check(client_packing.zip_of(folder), language_of("python3"))
    command = [sys.executable, "-m", "unittest"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr
    module = folder / "new_module.py"
    module.write_text(module.read_text().replace("Hello", "Good-bye"))
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1


def test_a_starter_in_javascript_is_a_function(pratai: Pratai, tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    assert pratai("function-init", str(folder), "--runtime", "nodejs").code == 0
    assert (folder / "new_module.test.js").is_file()
    check(client_packing.zip_of(folder), language_of("nodejs"))


def test_a_folder_that_is_there_is_left_alone(pratai: Pratai, tmp_path: Path) -> None:
    code, said = pratai.refused("function-init", str(tmp_path))
    assert (code, said) == (4, f"{tmp_path} exists already")
    assert not (tmp_path / "new_module.py").exists()


# Packing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A function with all that a folder may have."""
    path = tmp_path / "function"
    for name in ("new_module.py", "requirements.txt", "data/ü.txt", ".git/config", ".env",
                 "__pycache__/new_module.cpython-311.pyc"):  # fmt: skip
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"def main(payload=None): return {name!r}\n")
    (path / "tool.sh").write_text("#!/bin/sh\n")
    (path / "tool.sh").chmod(0o755)
    (path / "elsewhere").symlink_to(tmp_path)
    return path


def test_the_client_and_the_node_pack_alike(folder: Path) -> None:
    content = client_packing.zip_of(folder)
    assert content == node_packing.zip_of(folder)
    os.utime(folder / "new_module.py", (0, 0))
    assert content == client_packing.zip_of(folder), "when it was written does not matter"
    (folder / "new_module.py").write_text("x = 1\n")
    assert content != client_packing.zip_of(folder)


def test_what_is_no_part_of_a_function_stays_out(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "packed.zip"
    archive.write_bytes(client_packing.zip_of(folder))
    with zipfile.ZipFile(archive) as packed:
        modes = {each.filename: each.external_attr >> 16 for each in packed.infolist()}
    assert modes == {
        "data/ü.txt": 0o644,
        "new_module.py": 0o644,
        "requirements.txt": 0o644,
        "tool.sh": 0o755,
    }


def test_a_folder_is_uploaded(pratai: Pratai, folder: Path) -> None:
    made = pratai.json("function-create", "packed", "--zip", str(folder))
    (version,) = pratai.json("version-list", made["function_id"])
    assert version["size"] == len(client_packing.zip_of(folder))
    empty = folder / "empty"
    empty.mkdir()
    code, said = pratai.refused("function-create", "empty", "--zip", str(empty))
    assert (code, said) == (4, f"there are no files in {empty}")


# The node's program


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of the node's, which notes what it was told and ends with 7."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "pratai-driver"
    told = tmp_path / "told"
    program.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; cat; }} >{told}\nexit 7\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bin_folder / "python3"))
    return program


def test_the_nodes_program_is_given_everything(
    pratai: Pratai, node: Path, folder: Path, tmp_path: Path
) -> None:
    settings = ["--runtime", "nodejs", "--memory", "96", "--timeout", "5", "--env", "A=1",
                "--env", "B==", "--watch", "--config-file", "a.conf"]  # fmt: skip
    assert pratai("function-run", str(folder), "--payload", '{"a": "ü"}', *settings).code == 7
    assert (tmp_path / "told").read_text().splitlines() == [
        "--config-file", "a.conf", "--once", str(folder), "--payload", "-", "--runtime", "nodejs",
        "--memory", "96", "--timeout", "5", "--env", "A=1", "--env", "B==", "--watch",
        '{"a": "\\u00fc"}',
    ]  # fmt: skip


def test_without_the_nodes_program_one_line_says_what_to_install(
    pratai: Pratai, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    ran = pratai("function-run", str(folder))
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == (
        "function-run needs pratai-driver, which is not installed here: pip install pratai\n"
    )


def test_what_is_wrong_is_said_before_anything_is_begun(pratai: Pratai, folder: Path) -> None:
    code, said = pratai.refused("function-run", str(folder), "--payload", "{")
    assert (code, said.startswith("the payload is no JSON")) == (4, True)
    code, said = pratai.refused("function-run", str(folder / "nothing"))
    assert (code, said) == (4, f"there is no file {folder / 'nothing'}")
