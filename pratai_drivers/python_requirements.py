"""Which files of a Python function's package tell what pip installs for it. Pure."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from pratai_common.python_source import REQUIREMENTS

_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
_OPTION = re.compile(r"^-[a-z]")
_SEPARATORS = re.compile(r"[\s=@]+")
_EXTRAS = re.compile(r"\[[^]]*\]$")
_PINNED = re.compile(r"--hash[= ]sha256:[0-9a-f]{64}")
_MOST_LINE = 20_000
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRA_NAMES = r"(?: ?\[[A-Za-z0-9._, -]*\])?"
_ONE = r" ?(?:===?|[<>!~]=|[<>]) ?[A-Za-z0-9][A-Za-z0-9.*+!_-]*"
_MARKER = r"(?: ?;[A-Za-z0-9 ._'\"<>=!~()]*)?"
_HASHES = r"(?: --hash[= ]sha256:[0-9a-f]{64})*"
_BY_NAME = re.compile(rf"{_NAME}{_EXTRA_NAMES}(?:{_ONE}(?: ?,{_ONE})*)?{_MARKER}{_HASHES}")


def requirement_lines(text: bytes) -> list[str]:
    """Return the lines of a requirements file that ask for something, continuations joined."""
    joined = text.decode(errors="replace").replace("\\\n", " ")
    lines = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def asks_by_name(line: str) -> bool:
    """Say whether a line asks an index for something, and names no file, address or option but
    hashes.
    """
    line = " ".join(line.split())
    return len(line) <= _MOST_LINE and _BY_NAME.fullmatch(line) is not None


def named(files: Mapping[str, bytes]) -> set[str]:
    """See Rules: ``requirements.txt``, and what it or a requirements file it includes names."""
    tree = _Tree(files)
    lines = requirement_lines(files.get(REQUIREMENTS, b""))
    if not any(not line.startswith("-") or tree.paths_in(line) for line in lines):
        return set()
    named = {REQUIREMENTS}
    included = {REQUIREMENTS}
    waiting = [REQUIREMENTS]
    told: set[tuple[str, bool]] = set()
    while waiting:
        for line in requirement_lines(files[waiting.pop()]):
            includes = line.startswith(_INCLUDES)
            for path in tree.paths_in(line):
                if (path, includes) in told:
                    continue
                told.add((path, includes))
                named.update(tree.below(path))
                if includes:
                    new = set(tree.below(path)) - included
                    included |= new
                    waiting += new
    return named


def shareable(files: Mapping[str, bytes]) -> bool:
    """See Rules: every line asks by name, is pinned by hash, and only wheels are allowed: which pip
    does not ask of an address.
    """
    lines = requirement_lines(files[REQUIREMENTS])
    requirements = [line for line in lines if not line.startswith("-")]
    options = [line for line in lines if line.startswith("-")]
    wheels_only = any(re.fullmatch(r"--only-binary[= ]:all:", line) for line in options)
    pinned = all(asks_by_name(line) and _PINNED.search(line) for line in requirements)
    return wheels_only and len(options) == 1 and pinned


class _Tree:
    """A package's paths: its files, and the folders they lie in."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._below: dict[str, list[str]] = {}
        for name in files:
            for path in (name, *map(str, PurePosixPath(name).parents)):
                self._below.setdefault(path, []).append(name)

    def below(self, path: str) -> list[str]:
        """Return the file of this path, or the files in the folder of this path."""
        return self._below[path]

    def paths_in(self, line: str) -> set[str]:
        """Return the paths of files and folders that a line names."""
        words = _SEPARATORS.split(_OPTION.sub("", line))
        paths = (_EXTRAS.sub("", word).removeprefix("file:").strip("/") for word in words)
        return {re.sub(r"^(\./)+", "", path) for path in paths if path} & self._below.keys()
