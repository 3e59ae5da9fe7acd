"""What is asked of a JavaScript function's zip, and which of its files name its layer."""

import json
from typing import Any

import pytest

from pratai_common import package
from pratai_common.errors import PackageError
from pratai_common.languages import JAVASCRIPT, PYTHON, language_of
from pratai_drivers.dependencies import layer_of
from tests.packages import zipped

MAIN = "exports.main = (payload) => payload;\n"


@pytest.mark.parametrize(
    ("runtime", "language"),
    [
        ("nodejs", JAVASCRIPT),
        ("nodejs-with-fonts", JAVASCRIPT),
        ("python3", PYTHON),
        ("python3-numeric", PYTHON),
        ("nodejsx", PYTHON),
        ("", PYTHON),
    ],
)
def test_a_runtimes_name_tells_its_language(runtime: str, language: object) -> None:
    assert language_of(runtime) is language


@pytest.mark.parametrize("name", ["new_module.js", "new_module.mjs", "new_module.cjs"])
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"package.json": "{}"},
        {"package.json": '\ufeff{"type": "module", "dependencies": {"a": "^1"}}'},
        {"package.json": "{}", "package-lock.json": "{}"},
        {"new_module.py": "not (python"},
    ],
)
def test_a_function_in_javascript(name: str, files: dict[str, str | bytes]) -> None:
    package.check(zipped({name: MAIN, **files}), JAVASCRIPT)


NOT_ONES: list[tuple[dict[str, str | bytes], str]] = [
    (
        {"src/new_module.js": MAIN, "new_module.py": "def main(payload=None): pass"},
        "the zip has none of new_module.js, new_module.mjs, new_module.cjs at its root",
    ),
    (
        {"new_module.js": MAIN, "new_module.mjs": MAIN},
        "the zip has new_module.js and new_module.mjs: which is the function?",
    ),
    (
        {"new_module.js": MAIN, "package-lock.json": "{}"},
        "the zip has package-lock.json and no package.json",
    ),
    (
        {"new_module.js": MAIN, "package.json": "[]"},
        "package.json is no object in JSON: Expected `object`, got `array`",
    ),
    (
        {"new_module.js": MAIN, "package.json": "one"},
        "package.json is no object in JSON: JSON is malformed: invalid character (byte 0)",
    ),
    (
        {"new_module.js": MAIN, "package.json": '{"dependencies": ["a"]}'},
        "package.json: dependencies is no object of strings",
    ),
    (
        {"new_module.js": MAIN, "package.json": '{"optionalDependencies": {"a": 1}}'},
        "package.json: optionalDependencies is no object of strings",
    ),
    (
        {"new_module.js": MAIN, "package.json": b'{"a": "' + b"x" * (1 << 20) + b'"}'},
        "package.json is larger than 256 KiB",
    ),
]


@pytest.mark.parametrize(("files", "message"), NOT_ONES)
def test_what_is_no_function_in_javascript(files: dict[str, str | bytes], message: str) -> None:
    with pytest.raises(PackageError) as refused:
        package.check(zipped(files), JAVASCRIPT)
    assert str(refused.value) == message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 40_000, b"\xff", b"\0", ""])
def test_a_hostile_manifest_is_refused_and_not_fatal(text: str | bytes) -> None:
    with pytest.raises(PackageError, match=r"package\.json is no object in JSON"):
        package.check(zipped({"new_module.js": MAIN, "package.json": text}), JAVASCRIPT)


# Layers

HASH = "sha512-" + "A" * 86 + "=="
OF_A: dict[str, Any] = {"resolved": "https://index.example/a-1.0.0.tgz", "integrity": HASH}


def key(manifest: object, project: str = "p", **files: object) -> str | None:
    """Return the key of a package with this manifest and further files, ``/`` written as ``__``."""
    content = {"new_module.js": b"", "package.json": json.dumps(manifest).encode()}
    for name, value in files.items():
        path = name.replace("__", "/")
        content[path] = value if isinstance(value, bytes) else json.dumps(value).encode()
    layer = layer_of(project, "nodejs", "image", content)
    return None if layer is None else layer.key


def lock(**packages: object) -> dict[str, object]:
    """Return a lock with these packages, ``/`` written as ``__``."""
    named = {path.replace("__", "/"): entry for path, entry in packages.items()}
    return {"lockfileVersion": 3, "packages": {"": {}, **named}}


NEEDS_A = {"dependencies": {"a": "1.0.0"}}
PINNED = lock(node_modules__a=OF_A)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"type": "module"},
        {"dependencies": {}},
        {"devDependencies": {"a": "1"}},
    ],
)
def test_nothing_required_needs_no_layer(manifest: dict[str, object]) -> None:
    assert key(manifest) is None
    assert (
        layer_of("p", "nodejs", "image", {"new_module.js": b"", "requirements.txt": b"a"}) is None
    )


def test_packages_that_the_zip_brings_are_all_there_is() -> None:
    assert key(NEEDS_A) is not None
    assert key(NEEDS_A, node_modules__a__index=b"") is None


def test_a_layer_is_of_its_project_and_content() -> None:
    assert key(NEEDS_A) == key(NEEDS_A, other=b"1") == key(NEEDS_A, other=b"2")
    different = {
        key(NEEDS_A),
        key(NEEDS_A, project="q"),
        key({"dependencies": {"a": "2.0.0"}}),
        key(NEEDS_A, **{".npmrc": b"registry=https://index.example/"}),
        key(NEEDS_A, **{"package-lock.json": lock(node_modules__a={})}),
        key(NEEDS_A, **{"npm-shrinkwrap.json": lock(node_modules__a={})}),
    }
    assert len(different) == 6


@pytest.mark.parametrize(
    "manifest",
    [
        {"dependencies": {"a": "file:a"}},
        {"dependencies": {"a": "./a"}},
        {"dependencies": {"a": "a-1.0.0.TGZ"}},
        {"dependencies": {"a": "1", "b": "c/d"}},
        {"dependencies": {"a": "1"}, "devDependencies": {"b": "file:b"}},
        {"dependencies": {"a": "1"}, "overrides": {"a": {"b": ["c", "file:b"]}}},
        {"dependencies": {"a": "1"}, "workspaces": ["a"]},
    ],
)
def test_where_paths_may_be_named_the_whole_package_counts(manifest: dict[str, object]) -> None:
    assert key(manifest, a__b=b"1") != key(manifest, a__b=b"2")


@pytest.mark.parametrize(
    "text",
    [
        lock(node_modules__a={"resolved": "a", "link": True}, a={}),
        lock(node_modules__a={"resolved": "file:a.tgz", "integrity": HASH}),
        lock(node_modules__a={**OF_A, "resolved": ["file:a.tgz"]}),
        {"lockfileVersion": 1, "dependencies": {"a": {"version": "file:a"}}},
        {"packages": {"node_modules/a": "file:a"}},
        b"no JSON",
        b"[" * 10_000,
    ],
)
def test_where_a_lock_may_name_paths_it_does_too(text: object) -> None:
    locked = {"package-lock.json": text}
    assert key(NEEDS_A, **locked, a__b=b"1") != key(NEEDS_A, **locked, a__b=b"2")


def test_a_lock_of_packages_from_elsewhere_names_no_other_file() -> None:
    locked = {"package-lock.json": PINNED}
    assert key(NEEDS_A, **locked, a__b=b"1") == key(NEEDS_A, **locked, a__b=b"2")


def test_only_what_a_lock_pins_is_shared() -> None:
    def shared(manifest: object = NEEDS_A, **files: object) -> bool:
        return key(manifest, **files) == key(manifest, project="q", **files)

    assert shared(**{"package-lock.json": PINNED})
    assert shared(**{"npm-shrinkwrap.json": PINNED})
    assert shared(**{"package-lock.json": lock(node_modules__a={"integrity": HASH})})
    assert not shared()
    assert not shared(**{"package-lock.json": PINNED, ".npmrc": b""})
    assert not shared({"dependencies": {"a": "1", "b": "file:b"}}, **{"package-lock.json": PINNED})
    # The lock that counts is the other one.
    assert not shared(
        **{"npm-shrinkwrap.json": lock(node_modules__a={}), "package-lock.json": PINNED}
    )
    for entry in (
        {"resolved": OF_A["resolved"]},
        {**OF_A, "integrity": "sha1-" + "A" * 27 + "="},
        {**OF_A, "integrity": f"{HASH} sha512-x"},
        {**OF_A, "resolved": "git+https://example.org/a"},
        {"inBundle": True},
    ):
        locked = lock(node_modules__a=OF_A, node_modules__b=entry)
        assert not shared(**{"package-lock.json": locked}), entry
