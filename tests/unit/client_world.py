"""The ``pratai`` command in the test's own process, against the API there, by HTTP."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from flask import Flask
from prataiclient.shell import main
from werkzeug.serving import WSGIRequestHandler, make_server


class Ran(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Pratai:
    """Runs commands; what they write is taken from the process's own streams."""

    def __init__(self, streams: pytest.CaptureFixture[str]) -> None:
        self._streams = streams

    def __call__(self, *arguments: str) -> Ran:
        try:
            code = main(list(arguments))
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            _log_as_before()
        return Ran(code, *self._streams.readouterr())

    def json(self, *arguments: str) -> Any:
        """Return what a command that ends well says."""
        ran = self(*arguments, "-f", "json")
        assert (ran.code, ran.err) == (0, ""), ran.err
        return json.loads(ran.out)

    def refused(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and the last line of a command that fails."""
        ran = self(*arguments)
        assert ran.out == ""
        return ran.code, ran.err.splitlines()[-1]


def _log_as_before() -> None:
    """Undo what a command set for a process of its own."""
    logging.getLogger().handlers.clear()
    logging.getLogger("keystoneauth").setLevel(logging.NOTSET)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application while the block runs, at the address that this gives."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
