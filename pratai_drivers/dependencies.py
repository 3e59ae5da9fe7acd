"""Which dependency layer a package needs, and what that is made from. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pratai_common.languages import JAVASCRIPT, PYTHON, language_of
from pratai_drivers import npm_packages, python_requirements

_Files = Mapping[str, bytes]


class Rules(NamedTuple):
    """What a language's ``install`` reads of a package, whose files are given by path.

    ``named`` returns the paths of all files that tell what it installs, none where it installs
    nothing. ``shareable`` says whether whoever has these files gets the same bytes.
    """

    named: Callable[[_Files], set[str]]
    shareable: Callable[[_Files], bool]


_RULES = {
    PYTHON: Rules(python_requirements.named, python_requirements.shareable),
    JAVASCRIPT: Rules(npm_packages.named, npm_packages.shareable),
}


class Layer(NamedTuple):
    """A package's dependency layer: ``key`` says "the same content", and covers the runtime's image
    and the files ``named``, by their paths. One that is ``shareable`` is of all projects, so it is
    made from nothing else.
    """

    key: str
    named: frozenset[str]
    shareable: bool


def layer_of(project_id: str, runtime: str, runtime_image: str, files: _Files) -> Layer | None:
    """Return a package's dependency layer, ``None`` where it requires nothing.

    It is the project's own, unless whoever asks gets the same bytes.
    """
    rules = _RULES[language_of(runtime)]
    named = frozenset(rules.named(files))
    if not named:
        return None
    shareable = rules.shareable(files)
    owner = "" if shareable else project_id
    hashes = [(path, hashlib.sha256(files[path]).hexdigest()) for path in sorted(named)]
    material = json.dumps([owner, runtime_image, hashes])
    return Layer(hashlib.sha256(material.encode()).hexdigest(), named, shareable)
