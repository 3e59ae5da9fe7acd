"""Runs the user's code in its container. Standard library only.

Speaks the runner protocol (doc/source/contributor/runner-protocol.rst) over the node's unix
socket: it asks for the next event, which says "ready", gets it, and answers with the response or
an error. What the process prints goes to a pipe of the node from the first line on.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import socket
import sys
import traceback
from binascii import b2a_base64
from contextlib import suppress
from json import dumps, loads

TYPE_CHECKING = False  # not from typing: its import is a tenth of a cold start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LINK = "/run/pratai/node.sock"
OUTPUT = "/run/pratai/output"
FUNCTION = "/opt/pratai/function"
PACKAGES = "/opt/pratai/packages"
RUNNER = "/opt/pratai/runner"
MODULE = "new_module"
MAX_RESULT_BYTES = 6 * 1024 * 1024
MAX_HEAD_BYTES = 32 * 1024
"""What fits into the line that it is sent in; the node allows less."""
LINK_LOST = 76
"""Exit code that says: the connection to the node is gone (EX_PROTOCOL of sysexits.h)."""


class BadResultError(Exception):
    """What ``main`` returned cannot be sent, or is too much; ``reason`` is the typed reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Link:
    """The connection to the node: header lines of JSON, some followed by a body."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._file = self._socket.makefile("rb")
        self._owner = os.getpid()

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send a header, whose ``size`` is that of the body, and the body.

        A process that the user's code forked, and that came back here as if it were the first
        one, ends instead: it has nothing to answer. Nor has the runner when its connection is
        gone; the node sees that from its exit code.
        """
        if os.getpid() != self._owner:
            os._exit(0)
        line = dumps({**header, "size": len(body)}).encode() + b"\n"
        try:
            self._socket.sendall(line + body)
        except OSError:
            os._exit(LINK_LOST)

    def next(self) -> tuple[dict[str, Any], bytes]:
        """Say that the function is ready, and wait for its event: header and payload."""
        self.send({"op": "next"})
        line = self._file.readline()
        if not line:
            raise EOFError("the node went away")
        header = loads(line)
        return header, self._file.read(header["size"])

    def error(self, op: str, reason: str, message: str) -> None:
        """Report a failure of the user's code."""
        self.send({"op": op, "reason": reason, "message": message[:4096]})


def redirect_output(path: str) -> None:
    """Send everything this process and its children print to the node."""
    descriptor = os.open(path, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def prepare_imports() -> None:
    """Give the user's files and packages precedence, also over modules the runner has loaded."""
    sys.path[:0] = [FUNCTION, PACKAGES]
    for name in {entry.split(".")[0] for entry in os.listdir(FUNCTION)}:  # noqa: PTH208
        for loaded in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            del sys.modules[loaded]


def set_up_logging() -> None:
    """Let ``logging.getLogger('pratai')`` reach the logs at INFO."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("pratai")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def load_main() -> Callable[[Any], Any]:
    """Import the user's module and return its ``main``."""
    main = getattr(importlib.import_module(MODULE), "main", None)
    if not callable(main):
        raise TypeError(f"{MODULE}.py defines no main(payload=None)")
    return main  # type: ignore[no-any-return]  # the user's own


def encode(value: Any) -> bytes:
    """Return a result as JSON text; raises BadResultError."""
    try:
        text = dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadResultError("bad_result", f"main returned no JSON: {error}") from None
    if len(text) > MAX_RESULT_BYTES:
        raise BadResultError(
            "result_too_large", f"main returned {len(text)} bytes, {MAX_RESULT_BYTES} are allowed"
        )
    return text


def answer(value: Any, response_type: type[Any]) -> tuple[dict[str, Any], bytes]:
    """Return what says how a result is to be answered, if anything, and the result as JSON text;
    raises BadResultError.
    """
    if not isinstance(value, response_type):
        return {}, encode(value)
    body, encoding = value.body, "json"
    if isinstance(body, str):
        encoding = "text"
    elif isinstance(body, bytes | bytearray | memoryview):
        body, encoding = b2a_base64(body, newline=False).decode(), "base64"
    try:
        headers = dict(value.headers or {})
        head = {"status": value.status, "headers": headers, "encoding": encoding}
        size = len(dumps(head, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the Response's status or headers are none: {error}"
        raise BadResultError("bad_result", message) from None
    if size > MAX_HEAD_BYTES:
        raise BadResultError("bad_result", "the Response's headers are too large")
    return {"head": head}, encode(body)


def describe(error: BaseException) -> tuple[str, str]:
    """Print a failure's traceback, and return its reason and message."""
    if isinstance(error, BadResultError):
        return error.reason, str(error)
    if isinstance(error, SystemExit):
        return "exit_code", f"sys.exit({_shown(error.code)})"
    # Without the runner's own frames: the first is the one that called into the user's code.
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    with suppress(Exception):  # the user's own streams
        traceback.print_exception(type(error), error, frames)
    return "exception", "".join(traceback.format_exception_only(type(error), error)).strip()


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - the user's own object: anything goes
        return f"<{type(value).__name__}>"


def flush() -> None:
    """Hand over what is still buffered, whatever the user made of the streams."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(Exception):  # the user's own object: anything goes
            stream.flush()  # type: ignore[union-attr]  # None included


def handle(link: Link, main: Callable[[Any], Any], pratai: Any) -> None:
    """Handle one event; ``pratai`` is the module that functions import."""
    header, payload = link.next()
    pratai.context._begin(header["context"], header["timeout"])
    try:
        head, body = answer(main(loads(payload)), pratai.Response)
    except BaseException as error:  # noqa: BLE001 - every way to fail is an answer
        reason, message = describe(error)
        flush()
        link.error("error", reason, message)
    else:
        flush()
        link.send({"op": "response", **head}, body)


def run() -> None:
    """Be the process of one container."""
    link = Link(LINK)
    redirect_output(OUTPUT)
    sys.path.append(RUNNER)
    pratai = importlib.import_module("pratai")
    prepare_imports()
    set_up_logging()
    try:
        main = load_main()
    except BaseException as error:  # noqa: BLE001 - every way to fail is an answer
        reason, message = describe(error)
        flush()
        link.error("init_error", reason, message)
        return
    handle(link, main, pratai)


if __name__ == "__main__":
    run()
