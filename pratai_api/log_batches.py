"""Log lines of many HTTP requests, written at once a moment later.

To look whether the file was moved and to write to it are system calls, at each of which a thread
gives up its turn: a line written by itself costs several times what it costs among others.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from logging.handlers import WatchedFileHandler
from typing import TextIO, cast

_SECONDS = 0.1


class Batches:
    """Takes records from all threads; one thread, of the process that gave the first, writes."""

    def __init__(self) -> None:
        self._waiting: deque[logging.LogRecord] = deque()
        self._some = threading.Event()
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, record: logging.LogRecord) -> None:
        """Have a record written by the handlers of the process, which does not wait for it."""
        self._waiting.append(record)
        if not self._some.is_set():
            self._some.set()
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            records = [self._waiting.popleft() for _ in range(len(self._waiting))]
            for handler in logging.getLogger().handlers:
                wanted = [each for each in records if each.levelno >= handler.level]
                if wanted:
                    _write(handler, wanted)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="log", daemon=True)
                self._thread.start()
                atexit.register(self.flush)

    def _serve(self) -> None:
        while self._some.wait():
            time.sleep(_SECONDS)
            self._some.clear()
            self.flush()


def _write(handler: logging.Handler, records: Sequence[logging.LogRecord]) -> None:
    """Write records: all at once to a file, one by one to whatever else the operator chose."""
    if type(handler) is not WatchedFileHandler:
        for record in records:
            handler.handle(record)
        return
    handler.acquire()
    try:
        handler.handle(records[0])  # which looks whether the file was moved
        texts = [handler.format(each) for each in records[1:] if handler.filter(each)]
        stream = cast("TextIO", handler.stream)
        stream.write("".join(f"{text}{handler.terminator}" for text in texts))
        stream.flush()
    except Exception:  # noqa: BLE001 - a line that cannot be written stops nothing
        handler.handleError(records[0])
    finally:
        handler.release()
