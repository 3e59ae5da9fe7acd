"""The limits that every container has, as its own process sees them."""

import subprocess
from typing import Any

import pytest

from tests.held import HELD, let_go
from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

LOOK = package(
    """
    import os
    import socket
    from pathlib import Path


    def attempt(do):
        try:
            return repr(do())
        except OSError as error:
            return error.strerror or str(error)


    def connect(host, port):
        with socket.create_connection((host, port), timeout=3):
            return "connected"


    def main(payload=None):
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
        tmp = os.statvfs("/tmp")
        gateway = next((bytes.fromhex(line.split()[2])[::-1] for line in open("/proc/net/route")
                        if line.split()[1] == "00000000"), None)
        host = ".".join(map(str, gateway)) if gateway else None
        return {
            "capabilities": [status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd")],
            "no_new_privileges": status["NoNewPrivs"].strip(),
            "seccomp": status["Seccomp"].strip(),
            "uid": os.getuid(),
            "tmp_bytes": tmp.f_blocks * tmp.f_frsize,
            "write_root": attempt(lambda: Path("/here").write_text("x")),
            "write_function": attempt(lambda: Path("/opt/pratai/function/x").write_text("x")),
            "write_link": attempt(lambda: Path("/run/pratai/x").write_text("x")),
            "write_tmp": attempt(lambda: Path("/tmp/x").write_text("x")),
            "docker_socket": Path("/var/run/docker.sock").exists(),
            "host": attempt(lambda: connect(host, payload)) if host else "no route",
            "metadata": attempt(lambda: connect("169.254.169.254", 80)),
            "interfaces": sorted(name for _, name in socket.if_nameindex()),
        }
    """
)


@pytest.fixture(scope="module")
def seen(stack: Stack) -> dict[str, Any]:
    function = stack.function(LOOK, memory=96)
    result: dict[str, Any] = stack.run(function, stack.ports["api"])["result"]
    return result


def test_no_privileges(seen: dict[str, Any]) -> None:
    assert seen["capabilities"] == ["0000000000000000"] * 3
    assert seen["no_new_privileges"] == "1"
    assert seen["seccomp"] == "2"
    assert seen["uid"] == 10001
    assert seen["docker_socket"] is False


def test_only_tmp_can_be_written(seen: dict[str, Any]) -> None:
    assert seen["write_tmp"] == "1"
    assert seen["tmp_bytes"] == 64 * 1024 * 1024
    for name in ("write_root", "write_function", "write_link"):
        assert seen[name] == "Read-only file system"


def test_the_host_and_metadata_cannot_be_reached(seen: dict[str, Any]) -> None:
    assert seen["interfaces"] == ["eth0", "lo"]
    assert seen["host"] == "timed out"
    assert seen["metadata"] == "timed out"


def test_no_network_at_all(stack: Stack) -> None:
    seen = stack.run(stack.function(LOOK, network="none"), 1)["result"]
    assert seen["interfaces"] == ["lo"]
    assert seen["host"] == "no route"
    assert seen["metadata"] == "Network is unreachable"


def test_the_engine_was_given_the_limits(stack: Stack) -> None:
    """Read from the container of a run that is waited for."""
    module = (
        "import held, socket\ndef main(p=None):\n    print(socket.gethostname())\n    held.wait()\n"
    )
    function = stack.function(package(module, **HELD), memory=96, cpus=0.5)
    request_id = stack.submit(function)
    container = until(lambda: stack.logs(request_id).strip(), "it printed its name")
    template = (
        "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} "
        "{{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Privileged}} "
        '{{index .Config.Labels "pratai.installation"}} {{index .Config.Labels "pratai.node"}}'
    )
    inspected = subprocess.run(
        ["docker", "inspect", "-f", template, container], check=True, capture_output=True, text=True
    ).stdout.split()
    memory = str(96 * 1024 * 1024)
    assert inspected == [memory, memory, "500000000", "128", "true", "false", "pratai", stack.node]
    let_go(container)
    assert stack.ended(request_id)["status"] == "success"


THROTTLED = package(
    """
    from pathlib import Path

    FILES = ("/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu.stat")


    def throttled():
        text = next(Path(each).read_text() for each in FILES if Path(each).exists())
        return int(dict(line.split() for line in text.splitlines())["nr_throttled"])


    def main(payload=None):
        \"\"\"Work until it was held back so often.\"\"\"
        while throttled() < payload:
            pass
        return throttled() >= payload
    """
)


def test_processors_are_limited(stack: Stack) -> None:
    """Code that takes all it can get is held back again and again, and ends in its time."""
    assert stack.run(stack.function(THROTTLED, cpus=0.2), 5)["result"] is True
    # The positive control: one thread with a processor of its own is not held back like that.
    ended = stack.run(stack.function(THROTTLED, cpus=2, timeout=3), 5)
    assert (ended["status"], ended["reason"]) == ("timeout", "timeout")
