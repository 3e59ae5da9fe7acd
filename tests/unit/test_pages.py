"""A reader of the documents does what their pages say, and a page that is wrong is found."""

import textwrap
from pathlib import Path

import pytest

from tests.pages import Command, File, Reader, steps

PAGE = """
    Title
    =====

    .. code-block:: console

       $ name=Ada
       $ printf '%s\\n' hello \\
           "$name"
       hello
       A…

    .. code-block:: python
       :caption: folder/new_module.py

       def main(payload=None):
           return payload

    ``text``, and what is no step:

    .. code-block:: json

       {}

    * in a list

      .. code-block:: console

         $ cat folder/new_module.py
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.rst"
    path.write_text(textwrap.dedent(PAGE))
    return path


def test_the_steps_of_a_page(page: Path) -> None:
    assert steps(page) == [
        Command("name=Ada", ""),
        Command("printf '%s\\n' hello \\\n    \"$name\"", "hello\nA…\n"),
        File("folder/new_module.py", "def main(payload=None):\n    return payload\n"),
        Command("cat folder/new_module.py", ""),
    ]


def test_they_are_done_in_one_shell(page: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    Reader(tmp_path, {}).follow(*steps(page))
    assert (tmp_path / "folder/new_module.py").read_text().startswith("def main")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Command("false", ""), "the last command: Command"),
        (Command("echo one", "two\n"), "the page shows:\ntwo"),
        (Command("no-such-program-as-this", ""), "no-such-program-as-this"),
        (File("no/such/folder", ""), "no/such/folder"),
    ],
)
def test_a_step_that_is_wrong_is_found(tmp_path: Path, wrong: Command | File, said: str) -> None:
    reader = Reader(tmp_path, {})
    reader.follow(Command("echo one", "one\n"))
    with pytest.raises(AssertionError, match=said):
        reader.follow(Command("true", ""), wrong)


def test_a_command_that_never_ends_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.pages.CEILING_SECONDS", 1)
    endless = Command("mkfifo silent && read -r line <silent", "")
    with pytest.raises(AssertionError, match=r"the last command: .*silent"):
        Reader(tmp_path, {}).follow(Command("true", ""), endless)
