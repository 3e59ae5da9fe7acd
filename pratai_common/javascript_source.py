"""What can be told of a JavaScript function by its files, without a parser of JavaScript. Pure."""

from collections.abc import Collection, Mapping

import msgspec

from pratai_common.decoding import from_json
from pratai_common.errors import PackageError

MODULES = ("new_module.js", "new_module.mjs", "new_module.cjs")
MANIFEST = "package.json"
LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
"""The first counts, where there are both."""

OWN_MODULES = "node_modules/"
"""A folder of packages that the zip brings itself: then nothing is installed."""

DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies", "devDependencies")


def check(paths: Collection[str], texts: Mapping[str, bytes]) -> None:
    """See Language: there is one module, and ``package.json`` is what npm reads."""
    modules = [name for name in MODULES if name in paths]
    if not modules:
        raise PackageError(f"the zip has none of {', '.join(MODULES)} at its root")
    if len(modules) > 1:
        raise PackageError(f"the zip has {' and '.join(modules)}: which is the function?")
    if MANIFEST in texts:
        manifest(texts[MANIFEST])
        return
    for lock in LOCKS:
        if lock in paths:
            raise PackageError(f"the zip has {lock} and no {MANIFEST}")


def manifest(text: bytes) -> dict[str, object]:
    """Return what ``package.json`` holds; raises PackageError where npm could not read it."""
    try:
        found = from_json(text.removeprefix(b"\xef\xbb\xbf"), dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PackageError(f"{MANIFEST} is no object in JSON: {error}") from error
    for kind in DEPENDENCIES:
        named = found.get(kind, {})
        if not isinstance(named, dict) or not all(isinstance(each, str) for each in named.values()):
            raise PackageError(f"{MANIFEST}: {kind} is no object of strings")
    return found
