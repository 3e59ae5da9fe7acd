"""The languages that functions are written in: what a zip of each must hold.

What differs by language and is no affair of the runtime's image stands here, and in
``pratai_drivers/dependencies.py`` which files name the layer of dependencies. Pure.
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from pratai_common import javascript_source, python_source


class Language(NamedTuple):
    """``texts`` are the files that ``check`` reads, by path; of others it knows the paths alone.

    ``check(paths, texts)`` raises PackageError with the reason for what is no function's package.
    """

    texts: frozenset[str]
    check: Callable[[Collection[str], Mapping[str, bytes]], None]


PYTHON = Language(frozenset({python_source.MODULE}), python_source.check)
JAVASCRIPT = Language(frozenset({javascript_source.MANIFEST}), javascript_source.check)
_LANGUAGES = {"nodejs": JAVASCRIPT}


def language_of(runtime: str) -> Language:
    """Return the language of a runtime by its name up to a hyphen: ``nodejs-with-fonts`` is one of
    JavaScript. All that are not named so are of Python.
    """
    return _LANGUAGES.get(runtime.partition("-")[0], PYTHON)
