"""Which requirements a node downloads wheels of by itself: what an index is asked for by name."""

import pytest

from pratai_common.package import PackageFile
from pratai_drivers.prefetch import prefetched

HASH = f"--hash=sha256:{'0' * 64}"


def wanted(*lines: str) -> list[str] | None:
    file = PackageFile("requirements.txt", "\n".join(lines).encode(), False)
    found = prefetched({file.path: file})
    return None if found is None else found.content.decode().splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests==2.32.3",
        "requests [socks,use_chardet] >= 2.8.1, == 2.8.*",
        "zope.interface~=5.0",
        "backports.zoneinfo; python_version < '3.9'",
        "numpy==1.26.4+local",
        f"requests==2.32.3 {HASH} {HASH}",
    ],
)
def test_what_is_named_is_downloaded(line: str) -> None:
    assert wanted("# a comment", line, "./own") == [line]


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "-r more.txt",
        "--index-url https://index.example/simple",
        "--extra-index-url=https://index.example",
        "./folder",
        "folder/package",
        "/etc/passwd",
        "package @ https://files.example/package.whl",
        "https://files.example/package.whl",
        "git+https://git.example/package",
        "file:package",
        "requests --index-url https://index.example",
        "requests==1 --global-option=build_ext",
        "requests==${VERSION}",
        "requests ; python_version < '3' --config-settings x",
        "requests" * 5000,
        "\0",
    ],
)
def test_what_says_where_it_comes_from_is_not(line: str) -> None:
    assert wanted(line) is None
    assert wanted(line, "named==1.0") == ["named==1.0"]


def test_with_one_hash_pip_wants_one_for_each() -> None:
    assert wanted("named", f"pinned==1.0 {HASH}") == [f"pinned==1.0 {HASH}"]


def test_a_line_of_many_spaces_takes_no_time() -> None:
    assert wanted("a" + " " * 100_000 + "!") is None
    assert wanted("a" + " ;" * 9_000 + "!") is None


def test_nothing_is_downloaded_for_a_function_without_requirements() -> None:
    assert prefetched({}) is None
    assert wanted("") is None
