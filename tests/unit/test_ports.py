"""No two of those who start servers in tests get the same port."""

import subprocess
import sys

from tests import ports


def test_none_is_given_twice() -> None:
    assert len({ports.free_port() for _ in range(500)}) == 500


def test_none_that_another_process_has() -> None:
    wanted = ports.free_port()
    assert _claimed_elsewhere(wanted) == "False"
    # The positive control.
    assert _claimed_elsewhere(max(ports._PORTS) + 1) == "True"


def _claimed_elsewhere(port: int) -> str:
    code = f"from tests import ports; print(ports._claimed({port}))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()
