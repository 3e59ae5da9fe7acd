"""Log lines that are written many at once: all of them, each once, where the file is now."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import WatchedFileHandler
from pathlib import Path

import pytest

from pratai_api.log_batches import Batches
from tests.waiting import until


class Kept(logging.Handler):
    """A handler that is no file."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def kept(path: Path) -> Iterator[Kept]:
    """Have a file and another handler take what is logged, in place of the test's own handlers."""
    root, handler, file = logging.getLogger(), Kept(), WatchedFileHandler(path)
    before = root.handlers[:]
    root.handlers[:] = [file, handler]
    yield handler
    root.handlers[:] = before
    file.close()


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("test", level, __file__, 0, "%s", (text,), None)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_every_line_of_every_thread_is_written_once(path: Path, kept: Kept) -> None:
    batches = Batches()
    expected = {f"{thread}.{number}" for thread in range(8) for number in range(200)}

    def log(thread: int) -> None:
        for number in range(200):
            batches.put(record(f"{thread}.{number}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(log, range(8)))
    until(lambda: len(lines(path)) == len(kept.texts) == len(expected), "all are written")
    assert set(lines(path)) == set(kept.texts) == expected


def test_filters_and_levels_hold(path: Path, kept: Kept) -> None:
    file = logging.getLogger().handlers[0]
    file.addFilter(lambda each: each.getMessage() != "no")
    file.setLevel(logging.INFO)
    batches = Batches()
    for each in (record("a"), record("no"), record("low", logging.DEBUG), record("b")):
        batches.put(each)
    batches.flush()
    assert lines(path) == ["a", "b"]
    assert kept.texts == ["a", "no", "low", "b"]


def test_a_file_that_was_moved_is_made_anew(path: Path, kept: Kept) -> None:
    batches = Batches()
    batches.put(record("before"))
    batches.flush()
    path.rename(path.with_name("rotated"))
    batches.put(record("after"))
    batches.put(record("after it"))
    batches.flush()
    assert lines(path.with_name("rotated")) == ["before"]
    assert lines(path) == ["after", "after it"] == kept.texts[1:]


def test_a_handler_that_fails_ends_nothing(
    path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    batches = Batches()
    file = logging.getLogger().handlers[0]
    file.setFormatter(logging.Formatter("%(nothing)s"))
    for text in ("lost", "lost too"):
        batches.put(record(text))
    until(lambda: kept.texts == ["lost", "lost too"], "the other handler has them")
    file.setFormatter(None)
    batches.put(record("b"))
    until(lambda: lines(path) == ["b"], "the file takes lines again")
    assert any(each.name == "log" for each in threading.enumerate())
