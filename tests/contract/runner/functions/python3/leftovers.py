"""Leaves processes and files, in every way; ``look`` tells what is there."""

import ctypes
import os
import time
from pathlib import Path

SHARED = ("/tmp", "/dev/shm", "/dev/mqueue")
LIBC = ctypes.CDLL(None, use_errno=True)
KEY = 4711


def look() -> dict[str, list[str]]:
    found = {folder: names(folder) for folder in SHARED}
    found["processes"] = [each for each in names("/proc") if each.isdigit()]
    for kind in ("shm", "sem", "msg"):
        found[kind] = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
    return found


def names(folder: str) -> list[str]:
    return [each.name for each in Path(folder).iterdir()]


def leave() -> dict[str, list[str]]:
    deep = Path("/tmp/a/b/c")
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (deep / "link").symlink_to("/opt")
    os.mkfifo("/tmp/pipe")
    deep.chmod(0)
    Path("/tmp/a").chmod(0o500)
    Path("/dev/shm/.hidden").write_text("x")
    assert LIBC.mq_open(b"/queue", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
    assert LIBC.shmget(KEY, 4096, 0o1600) >= 0
    assert LIBC.semget(KEY, 1, 0o1000) >= 0
    assert LIBC.msgget(KEY, 0o1600) >= 0
    stay_behind()
    return look()


def stay_behind() -> None:
    """Leave a process in another session, whose parents are gone, and which holds all it can."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(0.01)
        os._exit(0)
    os.wait()


def main(what: str) -> dict[str, list[str]]:
    return {"leave": leave, "look": look}[what]()
