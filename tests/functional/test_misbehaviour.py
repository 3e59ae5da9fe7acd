"""Code that misbehaves: its exact status and reason, and an ordinary function right after."""

from typing import Any

import pytest

from tests.packages import package
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("still_fine")

CASES: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "raises": (
        "def main(payload=None):\n    raise ValueError('bad', payload)\n",
        {},
        "error",
        "exception",
        "ValueError: ('bad', 7)",
    ),
    "ends its process": (
        "import os\ndef main(payload=None):\n    os._exit(3)\n",
        {},
        "error",
        "exit_code",
        "its process ended with code 3",
    ),
    "calls sys.exit": (
        "import sys\ndef main(payload=None):\n    sys.exit(4)\n",
        {},
        "error",
        "exit_code",
        "sys.exit(4)",
    ),
    "raises at import": (
        "raise RuntimeError('at import')\ndef main(payload=None): pass\n",
        {},
        "error",
        "exception",
        "RuntimeError: at import",
    ),
    "has no main after all": (
        "if False:\n    def main(payload=None): pass\n",
        {},
        "error",
        "exception",
        "TypeError: new_module.py defines no main(payload=None)",
    ),
    "sleeps too long in C": (
        "import ctypes\ndef main(payload=None):\n    ctypes.CDLL(None).sleep(60)\n",
        {"timeout": 1},
        "timeout",
        "timeout",
        "it did not end within 1 s (imports and main together)",
    ),
    "needs too much memory": (
        "def main(payload=None):\n    return len(bytearray(500_000_000))\n",
        {"memory": 64},
        "error",
        "oom",
        "it needed more memory than the function has",
    ),
    "returns a set": (
        "def main(payload=None):\n    return {1, 2}\n",
        {},
        "error",
        "bad_result",
        "main returned no JSON: Object of type set is not JSON serializable",
    ),
    "returns NaN": (
        "def main(payload=None):\n    return float('nan')\n",
        {},
        "error",
        "bad_result",
        "main returned no JSON: Out of range float values are not JSON compliant",
    ),
    "returns too much": (
        "def main(payload=None):\n    return 'x' * (7 << 20)\n",
        {},
        "error",
        "result_too_large",
        "main returned 7340034 bytes, 6291456 are allowed",
    ),
    "writes garbage to its runner's connection": (
        """
        import os, stat
        def main(payload=None):
            for fd in range(3, 30):
                try:
                    if stat.S_ISSOCK(os.fstat(fd).st_mode):
                        os.write(fd, b"garbage\\n")
                except OSError:
                    pass
            return 1
        """,
        {},
        "error",
        "bad_result",
        "the function disturbed its runner's connection: a header that is no JSON",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_misbehaviour(stack: Stack, name: str) -> None:
    module, settings, status, reason, message = CASES[name]
    request = stack.run(stack.function(package(module), **settings), 7)
    assert (request["status"], request["reason"]) == (status, reason), request
    assert request["message"].startswith(message)
    assert request["result"] is None


def test_a_traceback_is_in_the_logs(stack: Stack) -> None:
    request = stack.run(stack.function(package(CASES["raises"][0])), 7)
    log = stack.logs(request["request_id"])
    assert 'File "/opt/pratai/function/new_module.py", line 2, in main' in log
    assert "runner.py" not in log


def test_output_is_cut_at_1_mib(stack: Stack) -> None:
    module = "def main(payload=None):\n    print('x' * 3_000_000)\n    return 'done'\n"
    request = stack.run(stack.function(package(module)))
    assert request["result"] == "done"
    log = stack.logs(request["request_id"])
    assert log.count("x") == 1 << 20
    assert log.endswith("[the output was cut here: more than 1 MiB]\n")
