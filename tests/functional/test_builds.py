"""Requirements that cannot be installed, and set-up scripts that misbehave: the function's status,
its build_error, and what the log says; an ordinary function is built and runs right after.
"""

import time
import uuid
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.docker_command import docker
from tests.packages import package, wheel
from tests.stack import Stack
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("still_builds")

LIMITS = {"timeout": 80, "memory": 1024, "pids": 40, "disk_mb": 200}
FAILED = "installing the requirements failed"
HANGS = "it hangs"
ORDINARY = """
    import ordinary

    def main(payload=None):
        return ordinary.VALUE
    """


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One whose builds have narrow limits."""
    running = Stack(tmp_path_factory.mktemp("builds"), {"build": LIMITS}).start()
    yield running
    running.stop()


@pytest.fixture
def still_builds(stack: Stack) -> Iterator[None]:
    """After the test an ordinary function with a requirement is built and runs as ever.

    Its content is new each time, so that nothing of it is there already, and its images are
    removed: that of the container which was started last, and the layer below. It is started from
    its image, because what the loader reads cannot be given to a blank container, and none waits.
    """
    yield
    value, began = uuid.uuid4().hex, time.time()
    file = wheel("ordinary", "1.0", content=f"VALUE = {value!r}\n")
    function = stack.function(
        package(ORDINARY, *(f"./{name}\n" for name in file), **file),
        environment={"LC_ALL": "C.UTF-8"},
        spares=0,
    )
    assert stack.run(function)["result"] == value
    its = ("--filter", f"label=pratai.node={stack.node}")
    between = ("--since", f"{began:.6f}", "--until", f"{time.time():.6f}")
    template = "{{.Actor.Attributes.image}}"
    started = docker("events", *between, *its, "--filter", "event=start", "--format", template)
    image = [each for each in started.splitlines() if "/function:" in each][-1]
    its = (*its, "--filter", f"ancestor={image}")
    until(lambda: not docker("ps", "-aq", *its), "its container is gone")
    docker("rmi", image, docker("image", "inspect", "-f", "{{.Parent}}", image))


class Fails(NamedTuple):
    """A zip, its function's build_error, and a line of the build's log that says why."""

    content: bytes
    error: str
    line: str


def requiring(requirements: str, **files: str | bytes) -> bytes:
    return package("def main(payload=None): pass\n", requirements, **files)


def set_up_by(script: str, **files: str | bytes) -> bytes:
    """Return the zip of a function that requires a package with this setup.py."""
    return requiring("./package\n", **{"package/setup.py": script, **files})


FAILS = {
    # Requirements.
    "one that does not exist": Fails(
        requiring("no-such-package-as-this-one==99\n"),
        FAILED,
        "ERROR: No matching distribution found for no-such-package-as-this-one==99",
    ),
    "two that conflict": Fails(
        requiring(
            "./one-1.0-py3-none-any.whl\n./base-1.0-py3-none-any.whl\n",
            **wheel("one", "1.0", "base==2.0"),
            **wheel("base", "1.0"),
        ),
        FAILED,
        "    one 1.0 depends on base==2.0",
    ),
    "one that needs a compiler": Fails(
        set_up_by(
            "from setuptools import Extension, setup\n"
            "setup(name='package', ext_modules=[Extension('package', ['package.c'])])\n",
            **{"package/package.c": "int nothing;\n"},
        ),
        FAILED,
        "      error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
    ),
    # What a setup.py does.
    "it ends well and has installed nothing": Fails(
        set_up_by("raise SystemExit(0)\n"),
        FAILED,
        "ERROR: No .egg-info directory found in /tmp/",
    ),
    "it needs too much memory": Fails(
        set_up_by("bytearray(2_000_000_000)\n"),
        "installing the requirements took more than 1024 MB of memory",
        "  │ exit code: -9",
    ),
    "it forks without end": Fails(
        set_up_by("import os\nwhile True: os.fork()\n"),
        FAILED,
        "      BlockingIOError: [Errno 11] Resource temporarily unavailable",
    ),
    "it fills the disk": Fails(
        set_up_by(
            "import time\n"
            "for number in range(20):\n"
            "    with open(f'/tmp/{number}', 'wb') as file:\n"
            "        file.write(bytes(20 << 20))\n"
            "time.sleep(600)\n"
        ),
        "installing the requirements took more than 200 MB of disk",
        "  Preparing metadata (setup.py): started",
    ),
    "it fills the disk with one file": Fails(
        set_up_by(
            "with open('/opt/pratai/packages/big', 'wb') as file:\n"
            "    file.seek(200 << 20)\n"
            "    file.write(b'more')\n"
        ),
        FAILED,
        "      OSError: [Errno 27] File too large",
    ),
    "it kills all others": Fails(
        set_up_by("import os, signal\nos.kill(-1, signal.SIGKILL)\n"),
        FAILED,
        "Killed",
    ),
    "it prints 50 MB": Fails(
        set_up_by("for _ in range(50): print('x' * 999_999)\nraise SystemExit(1)\n"),
        FAILED,
        "[the output was cut here: more than 1 MiB]",
    ),
    "it prints 50 MB past pip": Fails(
        set_up_by(
            "with open('/proc/1/fd/1', 'w') as output:\n"
            "    for _ in range(500_000): print('x' * 99, file=output)\n"
            "raise SystemExit(1)\n"
        ),
        FAILED,
        "[the output was cut here: more than 1 MiB]",
    ),
    HANGS: Fails(
        set_up_by("import time\ntime.sleep(600)\n"),
        "installing the requirements took longer than 80 s",
        "  Preparing metadata (setup.py): started",
    ),
}


@pytest.fixture(scope="module")
def hanging(stack: Stack) -> str:
    """The function whose build hangs: it is sent first and looked at last, and the node, which
    makes two images at a time, tries the others meanwhile.
    """
    return sent(stack, HANGS)


def sent(stack: Stack, name: str) -> str:
    """Return the id of a function that is being built."""
    return str(stack.upload(FAILS[name].content).json()["function_id"])


@pytest.mark.parametrize("name", FAILS)
def test_it_cannot_be_built(stack: Stack, hanging: str, name: str) -> None:
    _content, error, line = FAILS[name]
    function = stack.built(hanging if name == HANGS else sent(stack, name))
    assert (function["status"], function["version"]) == ("error", None)
    assert function["build_error"] == error
    log = stack.call("GET", function["logs_endpoint"]).text
    assert any(each.startswith(line) for each in log.splitlines()), log
    assert len(log) < 1_100_000
    answer = stack.call("POST", f"/v1/functions/{function['function_id']}", json={"payload": 1})
    refused = answer.json()["error"]
    assert (answer.status_code, refused["reason"]) == (409, "image_build")
    assert refused["message"] == f"no version of the function could be built: {error}"
