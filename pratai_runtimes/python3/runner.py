"""Runs the user's code in its container. Standard library only.

Speaks the runner protocol (doc/source/contributor/runner-protocol.rst) over the node's unix
socket: it is told what to load, asks for the next event, which says "ready", gets it, and answers
with the response or an error. What the process prints goes to a pipe of the node from the first
line on. With the isolation ``process`` its events are handled by copies of it
(``pratai_processes.py``).
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import socket
import sys
import time
import traceback
from binascii import b2a_base64
from contextlib import suppress
from json import dumps, loads

TYPE_CHECKING = False  # not from typing: its import is a tenth of a cold start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

LINK = "/run/pratai/node.sock"
OUTPUT = "/run/pratai/output"
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
    """A connection of the process that made this: header lines of JSON, some followed by a body."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._file = connection.makefile("rb")
        self._owner = os.getpid()

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send a header, whose ``size`` is that of the body, and the body."""
        self.pass_on(framed(header, body))

    def pass_on(self, message: bytes) -> None:
        """Send what ``framed`` returns.

        A process that the user's code forked, and that came back here as if it were the first
        one, ends instead: it has nothing to answer. Nor has the runner when its connection is
        gone; whoever is at its other end sees that from its exit code.
        """
        if os.getpid() != self._owner:
            os._exit(0)
        try:
            self._socket.sendall(message)
        except OSError:
            os._exit(LINK_LOST)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """Wait for a message: header and body; raises EOFError where there will be none."""
        line = self._file.readline()
        if not line:
            raise EOFError("the node went away")
        header = loads(line)
        return header, self._file.read(header["size"])

    def next(self, **said: str) -> tuple[dict[str, Any], bytes]:
        """Say that the function is ready, and wait for its event: header and payload."""
        self.send({"op": "next", **said})
        return self.receive()

    def close(self) -> None:
        """Let go of it: another process holds it, too."""
        self._file.close()
        self._socket.close()


def connected(path: str) -> Link:
    """Return the connection to a socket's path."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return Link(connection)


def framed(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Return a message as it is sent."""
    return dumps({**header, "size": len(body)}).encode() + b"\n" + body


def failed(op: str, reason: str, message: str) -> bytes:
    """Return what reports a failure of the user's code."""
    return framed({"op": op, "reason": reason, "message": message[:4096]})


def redirect_output(path: str) -> None:
    """Send everything this process and its children print to the node."""
    descriptor = os.open(path, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def prepare_imports(function: str, packages: str) -> None:
    """Give the user's files and packages precedence, also over modules the runner has loaded."""
    sys.path[:0] = [function, packages]
    for name in {entry.split(".")[0] for entry in os.listdir(function)}:  # noqa: PTH208
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
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next  # the runner's own are nothing to its reader
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


class Function:
    """The function that was loaded, and the connection by which its events come."""

    def __init__(self, link: Link, main: Callable[[Any], Any], pratai: Any) -> None:
        self._link = link
        self._main = main
        self._pratai = pratai
        """The module that functions import."""

    def one_event(self, **said: str) -> None:
        """Handle one event (isolation ``container``)."""
        self._link.pass_on(self._handled(*self._link.next(**said)))

    def event_after_event(self) -> None:
        """Handle events in this process (isolation ``shared``)."""
        event = self._link.next()
        while True:
            # With the answer: whoever has it may call again at once, and this waits by then.
            self._link.pass_on(self._handled(*event) + framed({"op": "next"}))
            event = self._link.receive()

    def process_after_process(self, pratai_processes: Any) -> None:
        """Handle each event in a copy of this process (isolation ``process``), if it can."""
        try:
            processes = pratai_processes.Processes()
        except pratai_processes.ImpossibleError as error:
            self.one_event(isolation="container", message=str(error))
            return
        while True:
            with processes.fork(self._be_the_copy) as copy:
                header, payload = self._link.next()
                self._link.pass_on(copy.answer(framed(header, payload)))
                try:
                    processes.clean()
                    self._pratai._secrets.write()
                except (pratai_processes.UncleanError, OSError) as error:
                    os.write(2, f"the runner gives up: {error}\n".encode())
                    return

    def _be_the_copy(self, channel: socket.socket) -> NoReturn:
        """Handle one event in a process of its own, which gets it from the runner."""
        self._link.close()
        redirect_output(OUTPUT)  # what an event sets on the descriptors it shares with none
        own = Link(channel)
        self._rehearse()
        own.pass_on(self._handled(*own.receive()))
        os._exit(0)

    def _rehearse(self) -> None:
        """Write to what handling an event writes to: that a copy gets a page of its own at each
        first write takes longer than all the rest.
        """
        self._pratai.context._begin({}, 0.0)
        header, body = answer(loads(b'{"": null}'), self._pratai.Response)
        framed({"op": "response", **header}, body)
        flush()

    def _handled(self, header: dict[str, Any], payload: bytes) -> bytes:
        """Handle an event; returns the answer as it is sent."""
        self._pratai.context._begin(header["context"], header["timeout"])
        try:
            head, body = answer(self._main(loads(payload)), self._pratai.Response)
        except BaseException as error:  # noqa: BLE001 - every way to fail is an answer
            reason, message = describe(error)
            flush()
            return failed("error", reason, message)
        flush()
        return framed({"op": "response", **head}, body)


def load(wanted: dict[str, Any], body: bytes, pratai: Any) -> Callable[[Any], Any]:
    """Import the function that the node wants, which finds its secrets, and return its ``main``."""
    os.environ.update(wanted["environment"])
    if body:
        pratai._secrets.take(loads(body)["secrets"])
    if "TZ" in wanted["environment"]:
        time.tzset()
    os.chdir(wanted["function"])
    prepare_imports(wanted["function"], wanted["packages"])
    return load_main()


def run() -> None:
    """Be the first process of a container."""
    link = connected(LINK)
    redirect_output(OUTPUT)
    sys.path.append(RUNNER)
    pratai = importlib.import_module("pratai")
    set_up_logging()
    wanted, body = link.receive()
    isolation = wanted["isolation"]
    # Before the user's own modules can be found.
    processes = importlib.import_module("pratai_processes") if isolation == "process" else None
    try:
        main = load(wanted, body, pratai)
    except BaseException as error:  # noqa: BLE001 - every way to fail is an answer
        reason, message = describe(error)
        flush()
        link.pass_on(failed("init_error", reason, message))
        return
    flush()
    function = Function(link, main, pratai)
    if isolation == "process":
        function.process_after_process(processes)
    elif isolation == "shared":
        function.event_after_event()
    else:
        function.one_event()


if __name__ == "__main__":
    with suppress(EOFError):  # nobody wants it any more
        run()
