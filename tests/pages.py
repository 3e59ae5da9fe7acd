"""Does what a page of the documents tells its reader to do: the console blocks run as printed, and
what they show must come of it.

A line that begins with ``$`` is a command; what follows it, up to the next one, is what the page
says that it prints, where ``…`` stands for anything. A command of which the page shows nothing must
succeed. A code block with a caption is a file: it is written where the caption says.
"""

import doctest
import os
import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
CEILING_SECONDS = 600
_BLOCK = re.compile(
    r"^(?P<margin> *)\.\. code-block:: (?P<language>\w+)\n"
    r"(?P<options>(?:(?P=margin)   :.*\n)*)\n"
    r"(?P<body>(?:(?P=margin)   .*\n|\n)+)",
    re.MULTILINE,
)
_CAPTION = re.compile(r":caption: (.+)")
_COMPARED = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Command(NamedTuple):
    """What the reader types, and what the page shows of its output."""

    text: str
    shown: str


class File(NamedTuple):
    """What the reader writes."""

    path: str
    text: str


Step = Command | File


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language."""
    found = _BLOCK.finditer(page.read_text())
    return [textwrap.dedent(each["body"]) for each in found if each["language"] == language]


def steps(page: Path) -> list[Step]:
    """Return what a page has its reader do, in order."""
    found: list[Step] = []
    for block in _BLOCK.finditer(page.read_text()):
        body = textwrap.dedent(block["body"]).strip("\n") + "\n"
        caption = _CAPTION.search(block["options"])
        if caption:
            found.append(File(caption[1], body))
        elif block["language"] == "console":
            found += _commands(body)
    return found


def commands(page: Path) -> list[str]:
    """Return the commands alone."""
    return [step.text for step in steps(page) if isinstance(step, Command)]


def _commands(block: str) -> Iterator[Command]:
    """Yield a block's commands; a backslash at the end of a line continues it."""
    for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = each.splitlines(keepends=True)
        length = 1
        while lines[length - 1].endswith("\\\n"):
            length += 1
        yield Command("".join(lines[:length]).rstrip("\n"), "".join(lines[length:]))


class Reader:
    """Somebody with a shell in a folder, who does what pages say. ``environment`` is what they have
    beside that of the tests, less the ``OS_*`` of those.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        own = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self.environment = {**own, **environment}

    def follow(self, *todo: Step) -> None:
        """Do these steps in one shell; each must succeed and print what the page shows."""
        outputs = self.folder / ".outputs"
        outputs.mkdir(exist_ok=True)
        for former in outputs.iterdir():
            former.unlink()
        script = "\n".join(self._script(number, step) for number, step in enumerate(todo))
        try:
            done = subprocess.run(
                ["bash", "-c", f"{_PRELUDE}\n{script}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=CEILING_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end is in sight of {_last(todo, outputs)}") from None
        for number, step in enumerate(todo):
            output = outputs / str(number)
            if isinstance(step, Command) and output.exists():
                _compare(step, output.read_text())
        assert done.returncode == 0, f"{_last(todo, outputs)}\n{done.stderr}"

    def _script(self, number: int, step: Step) -> str:
        """Return a step in the language of the shell, whose variables outlive it."""
        if isinstance(step, File):
            path = shlex.quote(step.path)
            return f"printf %s {shlex.quote(step.text)} >{path} || exit 1"
        output = shlex.quote(str(self.folder / ".outputs" / str(number)))
        return f"{{ {step.text}\n}} >{output} 2>&1 || exit 1"


_PRELUDE = f"""
export LC_ALL=C.UTF-8
# Whoever reads a page is in the checkout; here the state is in the folder of the test.
make() {{ command make --no-print-directory -C {shlex.quote(str(ROOT))} "$@"; }}
"""


def _compare(command: Command, printed: str) -> None:
    if command.shown:
        wanted = command.shown.replace("…", "...")
        same = doctest.OutputChecker().check_output(wanted, printed, _COMPARED)
        assert same, f"{command.text}\nthe page shows:\n{command.shown}\nit printed:\n{printed}"


def _last(todo: tuple[Step, ...], outputs: Path) -> str:
    """Return the last command that was begun, and what it printed."""
    begun = [number for number in range(len(todo)) if (outputs / str(number)).exists()]
    if not begun:
        return "no command was begun"
    return f"the last command: {todo[begun[-1]]}\n{(outputs / str(begun[-1])).read_text()}"
