"""Tries what its event names on the process that made its own, and says what came of it."""

import ctypes
import errno
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
SEIZE = 0x4206
PTRACE, PIDFD_OPEN, PIDFD_GETFD = {
    "x86_64": (101, 434, 438),
    "aarch64": (117, 434, 438),
}[os.uname().machine]
handled: list[int] = []

# A handler that the import made runs in no other process than an event's.
signal.signal(signal.SIGUSR1, lambda number, _frame: handled.append(number))


def system(*arguments: int) -> str:
    done = LIBC.syscall(*arguments)
    return "done" if done >= 0 else errno.errorcode[ctypes.get_errno()]


def opened(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def signals() -> str:
    for number in signal.valid_signals():
        os.kill(1, number)
    return "sent"


def traces() -> str:
    return system(PTRACE, SEIZE, 1, 0, 0)


def takes_a_descriptor() -> str:
    return system(PIDFD_GETFD, LIBC.syscall(PIDFD_OPEN, 1, 0), 3, 0)


def reads_memory() -> str:
    return opened("/proc/1/mem")


def reads_variables() -> str:
    return opened("/proc/1/environ")


def lists_descriptors() -> str:
    try:
        list(Path("/proc/1/fd").iterdir())
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def handles_its_own() -> list[int]:
    os.kill(os.getpid(), signal.SIGUSR1)
    return handled


def holds() -> list[str]:
    held = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # what the list itself is read by
            held.append(str(each.readlink()).partition(":")[0])
    return sorted(held)


def limits() -> str:
    resource.prlimit(1, resource.RLIMIT_NOFILE, (16, 1024))
    return "done"


def slows() -> str:
    os.setpriority(os.PRIO_PROCESS, 1, 19)
    return "done"


def forks_without_end() -> str:
    while True:
        try:
            os.fork()
        except OSError:
            return "no more"


KNOWN: list[Callable[[], object]] = [
    signals, traces, takes_a_descriptor, reads_memory, reads_variables, lists_descriptors,
    handles_its_own, holds, limits, slows, forks_without_end,
]  # fmt: skip
NAMES = {each.__name__: each for each in KNOWN}


def main(what: str) -> object:
    return NAMES[what]()
