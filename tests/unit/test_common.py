"""Tokens, ids, packages, clocks, logs as they are shown."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_api.logs import LogText
from pratai_common import package
from pratai_common.clock import iso
from pratai_common.errors import PackageError
from pratai_common.languages import PYTHON
from pratai_common.records import LogChunk
from pratai_common.submit import Cause, request_id
from pratai_common.tokens import create_key, load_key
from tests.packages import zipped
from tests.records import attempt, request
from tests.unit.test_node_parts import result


def test_a_token_speaks_for_one_attempt_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key"
    assert create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    key = load_key(path)
    assert not create_key(path)
    genuine = replace(result(), token=key.mint("r", 1, "n", 1, "p"))
    assert key.verify(genuine)
    changes: list[dict[str, Any]] = [
        {"request_id": "s"},
        {"attempt": 2},
        {"node": "m"},
        {"epoch": 2},
        {"project_id": "q"},
        {"token": b""},
    ]
    for change in changes:
        assert not key.verify(replace(genuine, **change))
    create_key(tmp_path / "other")
    assert not load_key(tmp_path / "other").verify(genuine)


def test_ids_come_from_causes() -> None:
    cause = Cause("timer", "s/1")
    assert request_id("p", "f", cause) == request_id("p", "f", Cause("timer", "s/1"))
    others = {
        request_id("q", "f", cause),
        request_id("p", "g", cause),
        request_id("p", "f", Cause("http", "s/1")),
        request_id("p", "f", Cause("timer", "s/2")),
    }
    assert len(others | {request_id("p", "f", cause)}) == 5


@pytest.mark.parametrize(
    "module",
    [
        "def main(payload=None): pass",
        "main = print",
        "from os import getcwd as main",
        "from helper import *",
        "try:\n    from a import main\nexcept ImportError:\n    main = None",
        "class main:\n    def __init__(self, payload): pass",
        "main: object = print",
        "with open('x') as f:\n    def main(p): pass",
    ],
)
def test_modules_that_may_define_main(module: str) -> None:
    package.check(zipped({"new_module.py": module}), PYTHON)


@pytest.mark.parametrize(
    "module",
    ["", "def f():\n    def main(): pass", "import main.x as y"],
)
def test_modules_that_do_not(module: str) -> None:
    with pytest.raises(PackageError, match="defines no main"):
        package.check(zipped({"new_module.py": module}), PYTHON)


def test_a_coroutine_function_is_refused() -> None:
    with pytest.raises(PackageError, match="main is a coroutine function"):
        package.check(zipped({"new_module.py": "async def main(payload=None): pass"}), PYTHON)


def test_deeply_nested_source_is_refused_and_not_fatal() -> None:
    with pytest.raises(PackageError, match=r"new_module\.py"):
        package.check(zipped({"new_module.py": "(" * 100_000 + ")" * 100_000}), PYTHON)


def test_times_are_utc_with_milliseconds() -> None:
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(1_769_860_800_007) == "2026-01-31T12:00:00.007Z"
    assert iso(None) is None


def chunk(seq: int, content: str, attempt: int = 1) -> LogChunk:
    return LogChunk(
        request_id="r", attempt=attempt, seq=seq, project_id="p", content=content.encode()
    )


def test_a_lost_piece_of_a_log_is_marked() -> None:
    mark = "[a piece of the log was lost here]\n"
    cases: list[tuple[list[LogChunk], int | None, str]] = [
        ([], None, ""),
        ([], 0, ""),
        ([], 1, mark),
        ([chunk(0, "a\n"), chunk(1, "b\n")], 2, "a\nb\n"),
        ([chunk(0, "a\n"), chunk(2, "c\n")], 3, f"a\n{mark}c\n"),
        ([chunk(1, "b\n")], 2, f"{mark}b\n"),
        ([chunk(0, "a\n")], 2, f"a\n{mark}"),
        ([chunk(0, "a\n"), chunk(0, "b\n", 2)], 1, "a\n[attempt 2]\nb\n"),
    ]
    for chunks, expected, text in cases:
        attempts = tuple(
            attempt(number) for number in range(1, len({c.attempt for c in chunks}) + 1)
        )
        log, ended = LogText(), request(log_chunks=expected, attempts=attempts)
        assert (log.add(chunks) + log.end(ended)).decode() == text


def test_a_log_is_read_piece_by_piece() -> None:
    log, ended = LogText(), request(log_chunks=2, attempts=(attempt(),))
    assert log.add([chunk(0, "a")]) == b"a"
    assert not log.whole(ended)
    assert log.add([]) == b""
    assert log.add([chunk(1, "b")]) == b"b"
    assert log.whole(ended)
    assert log.end(ended) == b""


def test_a_log_waits_for_a_piece_that_another_collector_may_yet_store() -> None:
    log, ended = LogText(), request(log_chunks=3, attempts=(attempt(),))
    assert log.add([chunk(0, "a"), chunk(2, "c")], patient=True) == b"a"
    assert log.gap
    assert log.add([chunk(1, "b"), chunk(2, "c")], patient=True) == b"bc"
    assert not log.gap
    assert log.whole(ended)


def test_a_log_of_which_a_piece_lacks_is_not_whole() -> None:
    log, ended = LogText(), request(log_chunks=3, attempts=(attempt(),))
    lost = "[a piece of the log was lost here]\n"
    assert log.add([chunk(0, "a"), chunk(2, "c")]).decode() == f"a{lost}c"
    assert not log.whole(ended)
