"""Whatever ``pratai`` command the documents print is one that the client takes."""

import re
import shlex

import pytest
from prataiclient.shell import PrataiShell

from tests.pages import ROOT, commands

PAGES = [
    ROOT / "README.rst",
    *sorted((ROOT / "doc" / "source").rglob("*.rst")),
    *sorted((ROOT / "examples").glob("*/README.rst")),
]
_CALL = re.compile(r"(?:^|[|;(]|&&)\s*(?:\w+=\S+\s+)*pratai\s+(?=[a-z])", re.MULTILINE)


def calls(line: str) -> list[list[str]]:
    """Return the arguments of each ``pratai`` in a line of the shell."""
    joined = line.replace("\\\n", " ")
    return [_arguments(joined[found.end() :]) for found in _CALL.finditer(joined)]


def _arguments(text: str) -> list[str]:
    """Return the words up to the end of a command."""
    words = shlex.shlex(text, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    found: list[str] = []
    for word in words:
        if set(word) <= set("();<>|&"):
            break
        found.append(word)
    return found


DOCUMENTED = [
    pytest.param(arguments, id=f"{page.relative_to(ROOT)}: {' '.join(arguments[:3])}")
    for page in PAGES
    for line in commands(page)
    for arguments in calls(line)
]


def test_the_documents_print_commands() -> None:
    assert len(DOCUMENTED) > 100
    assert calls("x=$(pratai a --b 'c d' | jq) && A=b pratai e >f; pratai g # h") == [
        ["a", "--b", "c d"],
        ["e"],
        ["g"],
    ]


@pytest.mark.parametrize("arguments", DOCUMENTED)
def test_a_documented_command_is_taken(arguments: list[str]) -> None:
    shell = PrataiShell()
    command, name, rest = shell.command_manager.find_command(arguments)
    command(shell, None, cmd_name=name).get_parser(f"pratai {name}").parse_args(rest)


def test_one_that_is_not_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        test_a_documented_command_is_taken(["function-list", "--no-such-option"])
    assert "--no-such-option" in capsys.readouterr().err
