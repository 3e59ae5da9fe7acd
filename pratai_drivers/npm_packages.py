"""Which files of a JavaScript function's package tell what npm installs for it. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pratai_common.decoding import convert, from_json
from pratai_common.errors import PackageError
from pratai_common.javascript_source import DEPENDENCIES, LOCKS, MANIFEST, OWN_MODULES, manifest

_SETTINGS = ".npmrc"
_INSTALLED = ("dependencies", "optionalDependencies", "peerDependencies")
_SERVICES = "npm|https?|git|git\\+ssh|git\\+https?|github|gitlab|bitbucket|gist"
_ELSEWHERE = re.compile(rf"(?:{_SERVICES}):.*", re.DOTALL)
_VERSION = re.compile(r"(?i)(?!\.)[^/\\:]*(?<!\.tgz)(?<!\.tar)(?<!\.tar\.gz)")
"""Whatever npm takes for no path, and for no name of an archive."""

_PINNED = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")


def named(files: Mapping[str, bytes]) -> set[str]:
    """See Rules: the manifest, locks and npm's settings; the whole package where npm may read more
    of it. Nothing is installed beside packages that the zip brings itself.
    """
    if MANIFEST not in files or any(path.startswith(OWN_MODULES) for path in files):
        return set()
    try:
        wanted = manifest(files[MANIFEST])
    except PackageError:
        return {MANIFEST}  # npm will say why
    if not any(wanted.get(kind) for kind in _INSTALLED):
        return set()
    if _reads_more(wanted, files):
        return set(files)
    return {MANIFEST, *LOCKS, _SETTINGS} & files.keys()


def shareable(files: Mapping[str, bytes]) -> bool:
    """See Rules: the lock pins every package by hash. No script of any is run (``install``)."""
    lock = next((files[each] for each in LOCKS if each in files), None)
    if lock is None or _SETTINGS in files or _reads_more(manifest(files[MANIFEST]), files):
        return False
    return all(_pinned(entry) for path, entry in _locked(lock).items() if path)


def _reads_more(wanted: Mapping[str, object], files: Mapping[str, bytes]) -> bool:
    """Say whether the manifest or a lock may name other files or folders of the package."""
    asked = [wanted.get(kind) for kind in (*DEPENDENCIES, "overrides")]
    if "workspaces" in wanted or not all(_is_elsewhere(each) for each in _texts(asked)):
        return True
    return any(_lock_names_paths(files[lock]) for lock in LOCKS if lock in files)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in lists and in the values of objects, however deep they lie."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, list | dict):
            waiting += inner.values() if isinstance(inner, dict) else inner


def _is_elsewhere(wanted: str) -> bool:
    return bool(_ELSEWHERE.fullmatch(wanted) or _VERSION.fullmatch(wanted))


def _lock_names_paths(lock: bytes) -> bool:
    """Say whether a lock may name files or folders of the package: also if it cannot be read."""
    packages = _locked(lock)
    return not packages or not all(
        path.startswith(OWN_MODULES) and _is_elsewhere(str(entry.get("resolved") or ""))
        for path, entry in packages.items()
        if path
    )


def _locked(lock: bytes) -> dict[str, dict[str, Any]]:
    """Return the packages of a lock (version 2 or 3) by path, the function's own as ""."""
    try:
        found = from_json(lock, dict[str, Any])
        return convert(found.get("packages"), dict[str, dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _pinned(entry: Mapping[str, Any]) -> bool:
    resolved, integrity = entry.get("resolved"), entry.get("integrity")
    return (
        (resolved is None or re.match("https?://", str(resolved)) is not None)
        and isinstance(integrity, str)
        and _PINNED.fullmatch(integrity) is not None
    )
