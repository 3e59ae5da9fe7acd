"""Which dependency layer a package needs: the key that says "the same content". Pure."""

import hashlib
import json
import re
from collections.abc import Mapping

from pratai_common.package import REQUIREMENTS

_COMMENT = re.compile(r"(^|\s)#.*$")
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
    if not any(not line.startswith("-") or _names_files(line, files) for line in lines):
        return None
    named: dict[str, str] = {}
    _collect(REQUIREMENTS, files, named)
    owner = "" if _shareable(lines) else project_id
    material = json.dumps([owner, runtime_image, sorted(named.items())])
    return hashlib.sha256(material.encode()).hexdigest()


def _collect(path: str, files: Mapping[str, bytes], named: dict[str, str]) -> None:
    """Note the hash of a requirements file and of all that it names."""
    if path in named:
        return
    named[path] = hashlib.sha256(files[path]).hexdigest()
    for line in requirement_lines(files[path]):
        for other in _names_files(line, files):
            if line.startswith(("-r", "--requirement", "-c", "--constraint")):
                _collect(other, files, named)
            else:
                named.setdefault(other, hashlib.sha256(files[other]).hexdigest())


def _names_files(line: str, files: Mapping[str, bytes]) -> list[str]:
    """Return the package's files that a line names, or that lie in a folder it names."""
    words = re.split(r"[\s=@]+", line.removeprefix("-r").removeprefix("-e").removeprefix("-c"))
    paths = {re.sub(r"\[[^]]*\]$", "", word).removeprefix("file:").strip("/") for word in words}
    paths = {re.sub(r"^(\./)+", "", path) for path in paths if path}
    if "." in paths:
        return sorted(files)
    return sorted(
        name for name in files if any(name == p or name.startswith(p + "/") for p in paths)
    )


def _shareable(lines: list[str]) -> bool:
    requirements = [line for line in lines if not line.startswith("-")]
    options = [line for line in lines if line.startswith("-")]
    wheels_only = any(re.fullmatch(r"--only-binary[= ]:all:", line) for line in options)
    return wheels_only and len(options) == 1 and all(_PINNED.search(line) for line in requirements)
