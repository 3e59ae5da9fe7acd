"""Mounts, by the kernel's own calls (Linux 5.12 and later); they need CAP_SYS_ADMIN.

A mount has its flags before anybody can see it: where others see what is mounted later, a change
of flags does not reach them.
"""

import ctypes
import os
import re
from pathlib import Path
from typing import NamedTuple

_LIBC = ctypes.CDLL(None, use_errno=True)
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
"""System calls, of the same number on every processor that Python 3.11 runs on."""

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_READ_ONLY, _NO_SETUID, _NO_DEVICES = 1, 2, 4
_PRIVATE, _SHARED = 1 << 18, 1 << 20
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mount as a process sees it: where, and its flags (``ro``, ``nosuid``, …)."""

    point: Path
    flags: frozenset[str]


class _Attributes(ctypes.Structure):
    _fields_ = [
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    ]


def share(folder: Path) -> None:
    """Make a folder a mount of its own that passes on what is mounted in it; raises OSError."""
    _attach(folder, folder, _Attributes(set=_NO_SETUID | _NO_DEVICES, propagation=_SHARED))


def show(source: Path, target: Path) -> None:
    """Let a folder be seen as another, read-only, without devices and setuid; raises OSError."""
    flags = _READ_ONLY | _NO_SETUID | _NO_DEVICES
    _attach(source, target, _Attributes(set=flags, propagation=_PRIVATE))


def unmount(folder: Path) -> None:
    """Take away what is mounted on a folder and in it, also while it is used; raises OSError."""
    flags = ctypes.c_int(_MNT_DETACH | _UMOUNT_NOFOLLOW)
    if _LIBC.umount2(os.fsencode(folder), flags) < 0:
        raise _error(folder)


def seen_by(process: int | str) -> list[Mount]:
    """Return the mounts of a process (``self``), in their order; raises OSError."""
    lines = Path(f"/proc/{process}/mountinfo").read_text().splitlines()
    fields = (line.split(" ") for line in lines)
    return [Mount(Path(_plain(each[4])), frozenset(each[5].split(","))) for each in fields]


def _attach(source: Path, target: Path, attributes: _Attributes) -> None:
    tree = _call(
        source, _OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | os.O_CLOEXEC
    )
    try:
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        _call(source, _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), size)
        _call(
            target, _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH
        )
    finally:
        os.close(tree)


def _call(path: Path, number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _error(path)
    return result


def _error(path: Path) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), str(path))


def _plain(text: str) -> str:
    """Return a path whose blanks and the like were written as octal numbers."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
