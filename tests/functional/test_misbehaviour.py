"""Code that misbehaves: its exact status, reason and message, and an ordinary function after it."""

import functools
import subprocess
from typing import Any, NamedTuple

import pytest

from pratai_common import limits
from tests.held import HELD, let_go
from tests.packages import package, zipped
from tests.stack import Stack
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("still_fine")

STARVED = "it needed more memory than the function has"
TOO_LATE = "it did not end within 1 s (imports and main together)"
TOO_MANY_DIGITS = (
    "Exceeds the limit (4300 digits) for integer string conversion{}; "
    "use sys.set_int_max_str_digits() to increase the limit"
)
TO_ITS_RUNNERS_CONNECTION = """
    import os
    import stat


    def to_the_node(data):
        for fd in range(3, 30):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, data)
            except OSError:
                pass


    def main(payload=None):
        to_the_node({data})
        return "second"
    """


class Fails(NamedTuple):
    """A module, and how a run of it ends with the payload 7."""

    module: str
    status: str
    reason: str
    message: str
    settings: dict[str, Any] = {}


class Works(NamedTuple):
    """A zip, and what a run of it with the payload 7 returns all the same."""

    content: bytes
    result: Any


FAILS = {
    # How it ends.
    "raises": Fails(
        "def main(payload=None):\n    raise ValueError('bad', payload)\n",
        "error",
        "exception",
        "ValueError: ('bad', 7)",
    ),
    "ends its process": Fails(
        "import os\ndef main(payload=None):\n    os._exit(3)\n",
        "error",
        "exit_code",
        "its process ended with code 3",
    ),
    "calls sys.exit": Fails(
        "import sys\ndef main(payload=None):\n    sys.exit(4)\n",
        "error",
        "exit_code",
        "sys.exit(4)",
    ),
    "recurses without end": Fails(
        "def main(payload=None):\n    return main(payload)\n",
        "error",
        "exception",
        "RecursionError: maximum recursion depth exceeded",
    ),
    "recurses without end, and without Python's limit": Fails(
        """
        import sys

        def main(payload=None):
            sys.setrecursionlimit(2**31 - 1)
            return main(payload)
        """,
        "error",
        "oom",
        STARVED,
    ),
    "recurses in C until its stack is full": Fails(
        """
        import sys

        class Endless:
            def __getattr__(self, name):
                return getattr(self, name)

        def main(payload=None):
            sys.setrecursionlimit(2**31 - 1)
            return Endless().end
        """,
        "error",
        "exit_code",
        "its process ended with code 139",
    ),
    # Its import.
    "raises at import": Fails(
        "raise RuntimeError('at import')\ndef main(payload=None): pass\n",
        "error",
        "exception",
        "RuntimeError: at import",
    ),
    "hangs at import": Fails(
        "while True: pass\ndef main(payload=None): pass\n",
        "timeout",
        "timeout",
        TOO_LATE,
        {"timeout": 1},
    ),
    "calls sys.exit at import": Fails(
        "import sys\nsys.exit(5)\ndef main(payload=None): pass\n",
        "error",
        "exit_code",
        "sys.exit(5)",
    ),
    "ends its process at import": Fails(
        "import os\nos._exit(6)\ndef main(payload=None): pass\n",
        "error",
        "exit_code",
        "its process ended with code 6",
    ),
    "has no main after all": Fails(
        "if False:\n    def main(payload=None): pass\n",
        "error",
        "exception",
        "TypeError: new_module.py defines no main(payload=None)",
    ),
    # Time.
    "loops": Fails(
        "def main(payload=None):\n    while True: pass\n",
        "timeout",
        "timeout",
        TOO_LATE,
        {"timeout": 1},
    ),
    "sleeps too long in C": Fails(
        "import ctypes\ndef main(payload=None):\n    ctypes.CDLL(None).sleep(60)\n",
        "timeout",
        "timeout",
        TOO_LATE,
        {"timeout": 1},
    ),
    # Memory, processes, disk.
    "needs too much memory": Fails(
        "def main(payload=None):\n    return len(bytearray(500_000_000))\n",
        "error",
        "oom",
        STARVED,
        {"memory": 64},
    ),
    "returns though its child needed too much memory": Fails(
        """
        import subprocess
        import sys

        def main(payload=None):
            subprocess.run([sys.executable, "-c", "bytearray(500_000_000)"])
            return "a part of the work is not done"
        """,
        "error",
        "oom",
        STARVED,
        {"memory": 64},
    ),
    "goes on though its child needed too much memory": Fails(
        """
        import subprocess
        import sys

        def main(payload=None):
            while True:
                subprocess.run([sys.executable, "-c", "bytearray(500_000_000)"])
        """,
        "error",
        "oom",
        STARVED,
        {"memory": 64},
    ),
    "forks without end": Fails(
        "import os\ndef main(payload=None):\n    while True: os.fork()\n",
        "error",
        "exception",
        "BlockingIOError: [Errno 11] Resource temporarily unavailable",
        {"memory": 1024},
    ),
    "starts threads without end": Fails(
        """
        import threading

        def main(payload=None):
            while True:
                threading.Thread(target=threading.Event().wait, daemon=True).start()
        """,
        "error",
        "exception",
        "RuntimeError: can't start new thread",
    ),
    "opens files without end": Fails(
        """
        def main(payload=None):
            files = []
            while True:
                files.append(open("/dev/null"))
        """,
        "error",
        "exception",
        "OSError: [Errno 24] Too many open files: '/dev/null'",
    ),
    "fills /tmp": Fails(
        """
        def main(payload=None):
            with open("/tmp/full", "wb") as file:
                while True:
                    file.write(bytes(1 << 20))
        """,
        "error",
        "exception",
        "OSError: [Errno 28] No space left on device",
        {"memory": 256},
    ),
    "fills /tmp, and its memory before": Fails(
        """
        def main(payload=None):
            with open("/tmp/full", "wb") as file:
                while True:
                    file.write(bytes(1 << 20))
        """,
        "error",
        "oom",
        STARVED,
        {"memory": 64},
    ),
    "deletes its files": Fails(
        """
        import os

        def main(payload=None):
            for name in ("new_module.py", "requirements.txt"):
                os.remove(name)
        """,
        "error",
        "exception",
        "OSError: [Errno 30] Read-only file system: 'new_module.py'",
    ),
    # What it returns.
    "returns a set": Fails(
        "def main(payload=None):\n    return {1, 2}\n",
        "error",
        "bad_result",
        "main returned no JSON: Object of type set is not JSON serializable",
    ),
    "returns NaN": Fails(
        "def main(payload=None):\n    return float('nan')\n",
        "error",
        "bad_result",
        "main returned no JSON: Out of range float values are not JSON compliant",
    ),
    "returns too much": Fails(
        "def main(payload=None):\n    return 'x' * (7 << 20)\n",
        "error",
        "result_too_large",
        "main returned 7340034 bytes, 6291456 are allowed",
    ),
    "returns what holds itself": Fails(
        "def main(payload=None):\n    a = []\n    a.append(a)\n    return a\n",
        "error",
        "bad_result",
        "main returned no JSON: Circular reference detected",
    ),
    "returns a surrogate": Fails(
        "def main(payload=None):\n    return '\\ud800'\n",
        "error",
        "bad_result",
        "main returned no JSON: 'utf-8' codec can't encode character '\\ud800' in position 1: "
        "surrogates not allowed",
    ),
    "returns a number with too many digits": Fails(
        "def main(payload=None):\n    return 10**5000\n",
        "error",
        "bad_result",
        f"main returned no JSON: {TOO_MANY_DIGITS.format('')}",
    ),
    "returns what is nested too deep": Fails(
        """
        def main(payload=None):
            nested = []
            for _ in range(100_000):
                nested = [nested]
            return nested
        """,
        "error",
        "bad_result",
        "main returned no JSON: maximum recursion depth exceeded while encoding a JSON object",
    ),
    "returns what is nested too deep for all but itself": Fails(
        """
        import sys

        def main(payload=None):
            sys.setrecursionlimit(2**31 - 1)
            nested = []
            for _ in range(20_000):
                nested = [nested]
            return nested
        """,
        "error",
        "bad_result",
        "the function's answer is no JSON",
    ),
    "returns an object that raises when it is read": Fails(
        """
        class Unreadable(dict):
            def items(self):
                raise RuntimeError("not for you")

        def main(payload=None):
            return Unreadable(a=1)
        """,
        "error",
        "exception",
        "RuntimeError: not for you",
    ),
    # What it raises.
    "raises what has no text": Fails(
        """
        class Silent(Exception):
            def __str__(self):
                raise ValueError("no text")

        def main(payload=None):
            raise Silent
        """,
        "error",
        "exception",
        "new_module.Silent: <exception str() failed>",
    ),
    "raises a message of 10 MB": Fails(
        "def main(payload=None):\n    raise ValueError('x' * 10_000_000)\n",
        "error",
        "exception",
        f"ValueError: {'x' * 10_000_000}"[:4096],
    ),
    "raises a surrogate": Fails(
        "def main(payload=None):\n    raise ValueError('\\ud800')\n",
        "error",
        "exception",
        "ValueError: \\ud800",
    ),
    "exits with what cannot be shown": Fails(
        """
        import sys

        class Hidden:
            def __repr__(self):
                raise ValueError("not for you")

        def main(payload=None):
            sys.exit(Hidden())
        """,
        "error",
        "exit_code",
        "sys.exit(<Hidden>)",
    ),
    # What it does to its runner.
    "closes every descriptor": Fails(
        "import os\ndef main(payload=None):\n    os.closerange(0, 1024)\n    return 1\n",
        "error",
        "bad_result",
        "the function closed its runner's connection",
    ),
    "closes every descriptor and goes on": Fails(
        """
        import os
        import time

        def main(payload=None):
            os.closerange(0, 1024)
            time.sleep(60)
        """,
        "error",
        "bad_result",
        "the function closed its runner's connection",
    ),
    "writes garbage to its runner's connection": Fails(
        TO_ITS_RUNNERS_CONNECTION.format(data=r"b'garbage\n'"),
        "error",
        "bad_result",
        "the function disturbed its runner's connection: a header that is no JSON: "
        "Expecting value: line 1 column 1 (char 0)",
    ),
    "answers what is no JSON": Fails(
        TO_ITS_RUNNERS_CONNECTION.format(data="""b'{"op": "response", "size": 3}\\nNaN'"""),
        "error",
        "bad_result",
        "the function's answer is no JSON",
    ),
    "answers a surrogate": Fails(
        TO_ITS_RUNNERS_CONNECTION.format(
            data="""b'{"op": "error", "message": "\\\\ud800", "size": 0}\\n'"""
        ),
        "error",
        "exception",
        "\\ud800",
    ),
}


@pytest.mark.parametrize("name", FAILS)
def test_it_fails(stack: Stack, name: str) -> None:
    module, status, reason, message, settings = FAILS[name]
    request = stack.run(stack.function(package(module), **settings), 7)
    assert (request["status"], request["reason"]) == (status, reason), request
    assert request["message"] == message
    assert request["result"] is None


OWN = {f"{name}.py": f"OWN = '{name}'\n" for name in ("json", "logging", "traceback", "socket")}
WORKS = {
    "forks, and the child returns too": Works(
        package(
            """
            import os

            def main(payload=None):
                if os.fork() == 0:
                    return "child"
                os.wait()
                return "parent"
            """
        ),
        "parent",
    ),
    "forks, and the child raises": Works(
        package(
            """
            import os

            def main(payload=None):
                if os.fork() == 0:
                    raise ValueError("child")
                os.wait()
                return "parent"
            """
        ),
        "parent",
    ),
    "answers twice": Works(
        package(
            TO_ITS_RUNNERS_CONNECTION.format(data="""b'{"op": "response", "size": 7}\\n"first"'""")
        ),
        "first",
    ),
    "has modules of its own that are called as the runner's": Works(
        zipped(
            {
                **OWN,
                "new_module.py": "import json, logging, socket, traceback\n"
                "def main(payload=None):\n"
                "    return [json.OWN, logging.OWN, traceback.OWN, socket.OWN]\n",
            }
        ),
        ["json", "logging", "traceback", "socket"],
    ),
    "has a pratai of its own": Works(
        zipped(
            {
                "pratai.py": "context = 'its own'\n",
                "new_module.py": "from pratai import context\n"
                "def main(payload=None):\n    return context\n",
            }
        ),
        "its own",
    ),
    "has unicode names": Works(
        zipped(
            {
                "größe.py": "LÄNGE = 3\n",
                "資料/名前 😀.txt": "データ",
                "new_module.py": "from pathlib import Path\nimport größe\n"
                "def main(payload=None):\n"
                "    return {'größe': größe.LÄNGE, '名前': Path('資料/名前 😀.txt').read_text()}\n",
            }
        ),
        {"größe": 3, "名前": "データ"},
    ),
}


@pytest.mark.parametrize("name", WORKS)
def test_it_works_all_the_same(stack: Stack, name: str) -> None:
    content, result = WORKS[name]
    request = stack.run(stack.function(content), 7)
    assert (request["status"], request["result"]) == ("success", result), request
    assert (request["reason"], request["message"]) == (None, None)


@pytest.mark.parametrize("files", [{}, OWN], ids=["plain", "with modules called as the runner's"])
def test_a_traceback_is_in_the_logs(stack: Stack, files: dict[str, str]) -> None:
    content = zipped({"new_module.py": FAILS["raises"].module, **files})
    request = stack.run(stack.function(content), 7)
    assert request["message"] == FAILS["raises"].message
    log = stack.logs(request["request_id"])
    assert 'File "/opt/pratai/function/new_module.py", line 2, in main' in log
    assert "runner.py" not in log


def test_output_is_cut_at_1_mib(stack: Stack) -> None:
    """Of 200 MB."""
    module = """
        def main(payload=None):
            for _ in range(200):
                print("x" * 999_999)
            return "done"
        """
    request = stack.run(stack.function(package(module)))
    assert (request["status"], request["result"]) == ("success", "done")
    log = stack.logs(request["request_id"])
    whole = ("x" * 999_999 + "\n") * 2
    assert log == whole[: 1 << 20] + "\n[the output was cut here: more than 1 MiB]\n"


STREAMS = package(
    """
    import io
    import sys


    def closed():
        file = open("/dev/null", "w")
        file.close()
        return file


    REPLACEMENTS = {"a StringIO": io.StringIO, "an object": object, "None": lambda: None,
                    "closed": closed}


    def main(payload=None):
        name, fails = payload
        sys.stdout = sys.stderr = REPLACEMENTS[name]()
        if fails:
            raise ValueError(name)
        return name
    """
)


@pytest.mark.parametrize("name", ["a StringIO", "an object", "None", "closed"])
def test_it_replaces_its_streams(stack: Stack, name: str) -> None:
    function = stack.function(STREAMS)
    request = stack.run(function, [name, False])
    assert (request["status"], request["result"]) == ("success", name), request
    request = stack.run(function, [name, True])
    assert (request["status"], request["reason"]) == ("error", "exception"), request
    assert request["message"] == f"ValueError: {name}"


KEEP_ON = {
    "a thread": """
        import socket
        import threading

        import held

        def keep_on():
            while True:
                print("still here")

        def main(payload=None):
            print(socket.gethostname())
            threading.Thread(target=keep_on).start()
            held.wait()
            return "done"
        """,
    "a daemon": """
        import os
        import socket

        import held

        def main(payload=None):
            print(socket.gethostname())
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    while True:
                        print("still here")
                os._exit(0)
            os.wait()
            held.wait()
            return "done"
        """,
}


@pytest.mark.parametrize("name", KEEP_ON)
def test_what_goes_on_after_it_returned_is_ended(stack: Stack, name: str) -> None:
    """It waits before it returns, to be seen running."""

    def listed(container: str) -> bool:
        arguments = ["docker", "ps", "-aq", "--filter", f"label=pratai.node={stack.node}"]
        arguments += ["--filter", f"id={container}"]
        return bool(subprocess.run(arguments, check=True, capture_output=True).stdout)

    request_id = stack.submit(stack.function(package(KEEP_ON[name], **HELD)))
    log = until(lambda: stack.logs(request_id), "it printed its name")
    container = log.splitlines()[0]
    assert listed(container)
    let_go(container)
    request = stack.ended(request_id)
    assert (request["status"], request["result"]) == ("success", "done"), request
    assert "still here\n" in stack.logs(request_id)
    until(lambda: not listed(container), "its container is gone")


def test_it_receives_6_mib_and_returns_5(stack: Stack) -> None:
    module = "def main(payload=None):\n    return payload[: 5 << 20]\n"
    function = stack.function(package(module), public=True)
    endpoint = stack.get(f"/v1/functions/{function}")["endpoint"]
    payload = "x" * (limits.MAX_BODY_BYTES - 2)
    answer = stack.call("POST", endpoint, json=payload)
    assert answer.status_code == 202, answer.text
    request = stack.ended(answer.json()["request_id"])
    assert (request["status"], request["reason"]) == ("success", None)
    assert request["payload"] == payload
    assert request["result"] == payload[: 5 << 20]


def test_it_receives_and_returns_what_is_nested(stack: Stack, echo: str) -> None:
    nested: Any = functools.reduce(lambda inner, _: [inner], range(400), 7)
    assert stack.run(echo, nested)["result"] == nested


def test_it_receives_a_number_with_too_many_digits(stack: Stack, echo: str) -> None:
    body = f'{{"payload": 1{"0" * 5000}}}'
    answer = stack.call("POST", f"/v1/functions/{echo}?wait=60", data=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (502, "exception")
    assert error["message"] == f"ValueError: {TOO_MANY_DIGITS.format(': value has 5001 digits')}"
