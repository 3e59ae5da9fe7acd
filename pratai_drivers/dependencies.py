"""Which dependency layer a package needs: the key that says "the same content". Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from pratai_common.package import REQUIREMENTS

_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
_OPTION = re.compile(r"^-[a-z]")
_SEPARATORS = re.compile(r"[\s=@]+")
_EXTRAS = re.compile(r"\[[^]]*\]$")
_PINNED = re.compile(r"--hash[= ]sha256:[0-9a-f]{64}")


def requirement_lines(text: bytes) -> list[str]:
    """Return the lines of a requirements file that ask for something, continuations joined."""
    joined = text.decode(errors="replace").replace("\\\n", " ")
    lines = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def layer_key(project_id: str, runtime_image: str, files: Mapping[str, bytes]) -> str | None:
    """Return the key of a package's dependency layer, ``None`` where it requires nothing.

    The key covers the runtime, ``requirements.txt``, and every file of the package that it, or a
    requirements file it includes, names. It is the project's own, unless every line is pinned by
    hash and only wheels are allowed: then whoever asks gets the same bytes.
    """
    lines = requirement_lines(files.get(REQUIREMENTS, b""))
    tree = _Tree(files)
    if not any(not line.startswith("-") or tree.paths_in(line) for line in lines):
        return None
    owner = "" if _shareable(lines) else project_id
    material = json.dumps([owner, runtime_image, sorted(_named_files(tree, files).items())])
    return hashlib.sha256(material.encode()).hexdigest()


def _named_files(tree: "_Tree", files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the hashes of ``requirements.txt`` and of all that it names, by path."""
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
    return {path: hashlib.sha256(files[path]).hexdigest() for path in named}


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


def _shareable(lines: list[str]) -> bool:
    requirements = [line for line in lines if not line.startswith("-")]
    options = [line for line in lines if line.startswith("-")]
    wheels_only = any(re.fullmatch(r"--only-binary[= ]:all:", line) for line in options)
    return wheels_only and len(options) == 1 and all(_PINNED.search(line) for line in requirements)
