"""A process for each event, a copy of the one that imported the function.

The runner is the first process of its container, so nothing in there can end it: the kernel passes
over every signal to it that it does not handle, and it handles none. It cannot be traced or looked
into either, and it alone can kill all the others at once. Nothing that an event leaves reaches the
next one, or the runner gives up. Standard library only; the protocol stands in ``runner.py``.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import time
import traceback
from json import dumps, loads

TYPE_CHECKING = False  # not from typing: its import is a tenth of a cold start
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 6 * 1024 * 1024
CLEANING_SECONDS = 5.0
EXIT_SECONDS = 5.0
"""How long a process that closed what it answers by may take to end."""

FOLDERS = ("/tmp", "/dev/shm", "/dev/mqueue")  # noqa: S108 - all that can be written to
SECRETS = "/run/secrets"
"""The same, but that the runner itself writes to it."""

OBJECTS = {"shm": "shmctl", "sem": "semctl", "msg": "msgctl"}
"""System V objects: their list in /proc/sysvipc, and the call that removes one."""

_READ_BYTES = 256 * 1024
_SET_DUMPABLE = 4
_MASK_BYTES = 128
"""Of a set of signals, in glibc."""

_REMOVE = 0
_LINK_LOST = 76
_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))


class ImpossibleError(Exception):
    """This function's events cannot have processes of their own here; the message says why."""


class UncleanError(Exception):
    """Something of an event is left, and the next one may not meet it."""


class DisturbedError(Exception):
    """An event's process said what is no answer."""


class Processes:
    """Makes processes of this one, in which the function is imported."""

    def __init__(self) -> None:
        """Raises ImpossibleError."""
        obstacle = _obstacle()
        if obstacle is not None:
            raise ImpossibleError(obstacle)
        self._libc = ctypes.CDLL(None, use_errno=True)
        if self._libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise ImpossibleError("the runner cannot be protected")
        # Not by the module signal, which makes an enum of each signal, also in each copy.
        self._mask = ctypes.create_string_buffer(_MASK_BYTES)
        self._libc.pthread_sigmask(signal.SIG_SETMASK, b"\xff" * _MASK_BYTES, self._mask)
        self._on_child = signal.getsignal(signal.SIGCHLD)
        if self._on_child != signal.SIG_DFL:
            # Else the kernel might forget how a process ended.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._limits = _own_limits()
        gc.freeze()  # a collection in a copy would write to all that it shares

    def fork(self, serve: Callable[[socket.socket], object]) -> Copy:
        """Make a process that serves one event; ``serve`` gets its end of the channel there."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                self._be_ordinary()
                serve(theirs)
            except BaseException:  # noqa: BLE001 - nothing of it may come back to the runner
                traceback.print_exc()
            finally:
                os._exit(1)
        theirs.close()
        return Copy(pid, ours)

    def clean(self) -> None:
        """End all processes but this one and remove what they made; raises UncleanError."""
        deadline = time.monotonic() + CLEANING_SECONDS
        _end_all(deadline)
        try:
            for folder in (*FOLDERS, SECRETS):
                _empty(folder, deadline)
            self._remove_objects()
        except (OSError, RecursionError) as error:
            raise UncleanError(f"what it made cannot be removed: {error}") from error
        if _own_limits() != self._limits:
            raise UncleanError("it changed the limits of its runner")

    def _remove_objects(self) -> None:
        for kind, call in OBJECTS.items():
            for identity in _objects(kind):
                if getattr(self._libc, call)(identity, _REMOVE, 0) != 0:
                    raise OSError(ctypes.get_errno(), f"{call} failed")

    def _be_ordinary(self) -> None:
        """Undo in a copy what protects the runner."""
        self._libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)
        if self._on_child is not None and self._on_child != signal.SIG_DFL:
            signal.signal(signal.SIGCHLD, self._on_child)
        self._libc.pthread_sigmask(signal.SIG_SETMASK, self._mask, None)


class Copy:
    """The process of one event, as its runner sees it. What it says is not believed."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self._pid = pid
        self._channel = channel
        self._process = os.pidfd_open(pid)
        self._received = bytearray()

    def __enter__(self) -> Copy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        self._channel.close()
        os.close(self._process)

    def answer(self, event: bytes) -> bytes:
        """Hand over its event; returns its answer, or what is to be said of its end, as framed."""
        try:
            self._channel.sendall(event)
        except OSError:
            return self._ending()
        try:
            return self._heard() or self._ending()
        except DisturbedError as error:
            message = f"the function disturbed its runner's connection: {error}"
            return _error("bad_result", message)

    def _heard(self) -> bytes | None:
        """Wait for its answer, ``None`` if there will be none; raises DisturbedError."""
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        waiting.register(self._process, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in waiting.poll()}
            if self._channel.fileno() not in ready:
                return None  # it has ended, and nothing of what it said is left
            piece = self._read()
            if not piece:
                return None
            self._received += piece
            message = _complete(self._received)
            if message is not None:
                return message

    def _read(self) -> bytes:
        try:
            return self._channel.recv(_READ_BYTES)
        except OSError:
            return b""

    def _ending(self) -> bytes:
        """Return what is to be said of how it ended without an answer."""
        waiting = select.poll()
        waiting.register(self._process, select.POLLIN)
        code = _LINK_LOST
        if waiting.poll(EXIT_SECONDS * 1000):
            code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if code == _LINK_LOST:
            return _error("bad_result", "the function closed its runner's connection")
        if code < 0:
            name = signal.strsignal(-code)
            return _error("exit_code", f"its process was ended by signal {-code} ({name})")
        return _error("exit_code", f"its process ended with code {code}")


def _complete(received: bytearray) -> bytes | None:
    """Return the answer that these bytes are, ``None`` if they are not all; raises DisturbedError.

    It is passed on as it is: the node believes it no more than what a runner says.
    """
    end = received.find(b"\n", 0, MAX_HEADER_BYTES)
    if end < 0:
        if len(received) >= MAX_HEADER_BYTES:
            raise DisturbedError("a header without an end")
        return None
    try:
        header = loads(received[:end])
    except (ValueError, RecursionError) as error:
        raise DisturbedError(f"a header that is no JSON: {error}") from error
    if not isinstance(header, dict) or header.get("op") not in ("response", "error"):
        raise DisturbedError("a header of no answer")
    size = header.get("size")
    if not isinstance(size, int) or not 0 <= size <= MAX_BODY_BYTES:
        raise DisturbedError("a header without a size")
    length = end + 1 + size
    return bytes(received[:length]) if len(received) >= length else None


def _error(reason: str, message: str) -> bytes:
    header = {"op": "error", "reason": reason, "message": message[:4096], "size": 0}
    return dumps(header).encode() + b"\n"


def _obstacle() -> str | None:
    """Return why this process cannot be copied for each event, ``None`` if it can."""
    if os.getpid() != 1:
        return "its runner is not the first process of its container"
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        return "its import started threads"
    if _has_processes():
        return "its import started processes that run"
    left = _left()
    if left is not None:
        return f"its import left {left}"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return f"the end of a process cannot be waited for: {error}"
    return None


def _left() -> str | None:
    """Name something that is left for the next event, ``None`` if there is nothing."""
    for folder in FOLDERS:
        if os.listdir(folder):  # noqa: PTH208
            return f"files in {folder}"
    return next((f"a System V object ({kind})" for kind in OBJECTS if _objects(kind)), None)


def _objects(kind: str) -> list[int]:
    with open(f"/proc/sysvipc/{kind}") as lines:
        return [int(line.split()[1]) for line in list(lines)[1:]]


def _has_processes() -> bool:
    """Say whether there are others in the container: whoever loses its parent becomes a child of
    the first process.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _end_all(deadline: float) -> None:
    """Kill every other process of the container, and wait until they are gone."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    while _has_processes():
        left = max(0.0, deadline - time.monotonic())
        if signal.sigtimedwait([signal.SIGCHLD], left) is None:
            raise UncleanError("its processes do not end")


def _empty(folder: str, deadline: float) -> None:
    """Remove what is in a folder: nobody changes it meanwhile. Raises OSError, UncleanError."""
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if time.monotonic() > deadline:
            raise UncleanError("what it made cannot be removed in time")
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)  # noqa: PTH101
            _empty(entry.path, deadline)
            os.rmdir(entry.path)  # noqa: PTH106
        else:
            os.unlink(entry.path)  # noqa: PTH108


def _own_limits() -> tuple[object, ...]:
    """Return what another process of the same user can change of this one."""
    return (
        tuple(resource.getrlimit(each) for each in _LIMITS),
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getscheduler(0),
        os.sched_getaffinity(0),
    )
