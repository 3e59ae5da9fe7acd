"""Does what its event names."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from pratai import Response


def returns() -> object:
    print("printed before it")
    print("an unfinished line", end="")
    return {"a": [1, None, "ä"]}


def responds() -> object:
    return Response("made", 201, {"Location": "/x"})


def raises() -> object:
    print("printed before it")
    raise LookupError("nothing found")


def raises_much() -> object:
    raise LookupError("\N{GRINNING FACE}" * 5000)


def returns_a_set() -> object:
    return {1}


def returns_too_much() -> object:
    return "x" * (6 * 1024 * 1024)


def exits() -> object:
    sys.exit(3)


def ends_at_once() -> object:
    os._exit(5)


def ends_well_at_once() -> object:
    os._exit(0)


def is_killed() -> object:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGKILL)
    return "it lives on"


def comes_back_twice() -> object:
    return "child" if os.fork() == 0 else "parent"


def closes_descriptors() -> object:
    os.closerange(3, 1000)
    return None


def closes_output() -> object:
    os.closerange(1, 3)
    return None


def replaces_output() -> object:
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    print("to nobody")
    return None


def disturbs() -> object:
    for descriptor in range(3, 100):
        with suppress(OSError):
            os.write(descriptor, b"garbage\n")
    return None


KNOWN: list[Callable[[], object]] = [
    returns, responds, raises, raises_much, returns_a_set, returns_too_much, exits, ends_at_once,
    ends_well_at_once, is_killed, comes_back_twice, closes_descriptors, closes_output,
    replaces_output, disturbs,
]  # fmt: skip
NAMES = {each.__name__: each for each in KNOWN}


def main(what: str) -> object:
    return NAMES[what]()
