"""What hostile code does with the files that a blank container was given; what a crash leaves.

The control is an unconfined container that has the same folder by an ordinary mount: what the
function tries there succeeds.
"""

import ctypes
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from oslo_config import cfg

from pratai_drivers import mounts
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import OWN_FILES, Blank, Engine
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.folders import node_path, points_path, unpacked_path
from pratai_drivers.link import Link
from pratai_drivers.transfers import Transfers
from tests.contract.conftest import MakeConf
from tests.contract.test_engine import answered, blank_container, spec_of
from tests.docker_command import docker
from tests.node_api import NodeApi
from tests.packages import package, wheel, zipped
from tests.waiting import until

FUNCTION = Path("/opt/pratai/function")
TRY = package(
    """
    import ctypes
    import os
    import subprocess
    from pathlib import Path

    HERE = Path("/opt/pratai/function")
    LIBC = ctypes.CDLL(None, use_errno=True)
    REMOUNT, BIND = 32, 4096


    def attempt(do):
        try:
            return str(do())
        except OSError as error:
            return error.strerror


    def call(name, *arguments):
        if getattr(LIBC, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return "did it"


    def main(payload=None):
        here = os.fsencode(HERE)
        return {
            "write": attempt(lambda: (HERE / "new").write_text("x")),
            "change": attempt(lambda: (HERE / "writable").write_text("x")),
            "remove": attempt(lambda: (HERE / "writable").unlink()),
            "device": attempt(lambda: (HERE / "device").read_text()),
            "setuid": subprocess.run([HERE / "id", "-u"], capture_output=True, text=True).stdout,
            "remount": attempt(lambda: call("mount", None, here, None, REMOUNT | BIND, None)),
            "unmount": attempt(lambda: call("umount2", here, 0)),
            "mount": attempt(lambda: call("mount", b"/tmp", here, None, BIND, None)),
            "make_device": attempt(lambda: os.mknod("/tmp/device", 0o20666, os.makedev(1, 3))),
            "mounts": Path("/proc/self/mountinfo").read_text(),
        }


    if __name__ == "__main__":
        import json
        print(json.dumps(main()))
    """
)
NOT_PERMITTED = "Operation not permitted"
READ_ONLY = "Read-only file system"


class Node(NamedTuple):
    """An engine of Docker's with what stands around it."""

    engine: DockerEngine
    conf: cfg.ConfigOpts
    runtime: str
    builder: Builder
    api: NodeApi

    @property
    def points(self) -> Path:
        return points_path(node_path(self.conf))

    def image(self, content: bytes) -> str:
        project = uuid.uuid4().hex
        package = self.api.package(content, project_id=project)
        return self.builder.image(package, lambda _output: None)

    def run(self, blank: Blank, link: Link, image: str, payload: object = None) -> Any:
        """Give a blank container its function and an event; returns what it answered."""
        files = blank.give(image, 64, 1.0)
        assert files is not None
        ending = answered(blank, files, image, link, json.dumps(payload).encode())
        assert ending.output is not None, ending
        return json.loads(ending.output)


@pytest.fixture
def node(make_conf: MakeConf, node_api: NodeApi) -> Iterator[Node]:
    conf = make_conf(pip_find_links="")
    engine = DockerEngine.from_conf(conf)
    runtimes = engine.prepare(lambda _output: None)
    engine.open()
    builder = Builder(engine, Transfers(30), conf, runtimes)
    yield Node(engine, conf, runtimes["python3"], builder, node_api)
    engine.close()


def mounted_below(folder: Path) -> list[Path]:
    found = (mount.point for mount in mounts.seen_by("self"))
    return [point for point in found if point.is_relative_to(folder)]


def traps(folder: Path, runtime: str) -> None:
    """Lay out what must not work: a setuid program, a device, and files for anybody to change."""
    created = docker("create", runtime)
    docker("cp", f"{created}:/usr/bin/id", str(folder))
    docker("rm", created)
    (folder / "id").chmod(0o4755)
    os.mknod(folder / "device", 0o20666, os.makedev(1, 3))
    (folder / "writable").write_text("as it was")
    for path in (folder / "device", folder / "writable"):
        path.chmod(0o666)
    folder.chmod(0o777)


def unconfined(folder: Path, runtime: str) -> dict[str, str]:
    """Run the same code where the same folder is mounted as anything is."""
    seen: dict[str, str] = json.loads(
        docker(
            *("run", "--rm", "--user=10001", "--cap-add=SYS_ADMIN", "--network=none"),
            *("--security-opt=apparmor=unconfined", f"--volume={folder}:{FUNCTION}"),
            *(runtime, "python3", str(FUNCTION / "new_module.py")),
        )
    )
    return seen


def test_what_a_function_does_with_its_files(node: Node, tmp_path: Path) -> None:
    image = node.image(TRY)
    (folder,) = (path.parent for path in unpacked_path(node.conf).glob("*/new_module.py"))
    traps(folder, node.runtime)
    with blank_container(node.engine, node.runtime, tmp_path / "run") as (blank, link):
        seen = node.run(blank, link, image)
    own_mounts = [line.split() for line in seen.pop("mounts").splitlines()]
    refused = ("remount", "unmount", "mount", "make_device")
    assert seen == {
        **dict.fromkeys(("write", "change", "remove"), READ_ONLY),
        "device": "Permission denied",
        "setuid": "10001\n",
        **dict.fromkeys(refused, NOT_PERMITTED),
    }
    flags = [set(fields[5].split(",")) for fields in own_mounts if fields[4] == str(FUNCTION)]
    assert [each >= {"ro", "nosuid", "nodev"} for each in flags] == [False, True]
    assert (folder / "writable").read_text() == "as it was"

    control = unconfined(folder, node.runtime)
    assert {name: control[name] for name in ("write", "change", "device", "setuid")} == {
        "write": "1",
        "change": "1",
        "device": "",
        "setuid": "0\n",
    }
    assert control["remove"] == "None"


def test_a_mount_that_may_be_written_would_be(node: Node, tmp_path: Path) -> None:
    """The other control: it is the flags of the mount, and not the way by which it comes."""
    image = node.image(TRY)
    (folder,) = (path.parent for path in unpacked_path(node.conf).glob("*/new_module.py"))
    traps(folder, node.runtime)
    with blank_container(node.engine, node.runtime, tmp_path / "run") as (blank, link):
        files = blank.give(image, 64, 1.0)
        assert files is not None
        (point,) = node.points.iterdir()
        subprocess.run(["mount", "--bind", folder, point / "function"], check=True)
        ending = answered(blank, files, image, link, b"null")
    assert json.loads(ending.output or b"null")["change"] == "1"
    assert (folder / "writable").exists() is False


def test_the_limits_are_the_functions(node: Node, tmp_path: Path) -> None:
    image = node.image(package("def main(payload=None):\n    return payload\n"))
    with blank_container(node.engine, node.runtime, tmp_path / "run") as (blank, link):
        files = blank.give(image, 96, 0.5)
        assert files is not None
        template = (
            "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} "
            "{{.HostConfig.PidsLimit}}"
        )
        name = spec_of(node.runtime, link).name
        limits = docker("inspect", "-f", template, name).split()
        assert limits == [str(96 * 1024 * 1024)] * 2 + ["500000000", str(node.conf.driver.pids)]
        assert answered(blank, files, image, link, b"1").output == b"1"


def test_a_function_sees_nothing_of_another(node: Node, tmp_path: Path) -> None:
    code = "def main(payload=None):\n    return [open('/proc/self/mountinfo').read(), {}]\n"
    images = [node.image(package(code.replace("{}", str(number)))) for number in range(2)]
    folders = {path.parent.name for path in unpacked_path(node.conf).glob("*/new_module.py")}
    with ExitStack() as opened:
        entered = [
            opened.enter_context(
                blank_container(node.engine, node.runtime, tmp_path / f"run{number}")
            )
            for number in range(2)
        ]
        points = {point.name for point in node.points.iterdir()}
        assert len(folders) == len(points) == 2
        other, other_link = entered[1]
        assert other.give(images[1], 64, 1.0) == OWN_FILES
        seen, number = node.run(*entered[0], images[0])
        other_link.close()
    assert number == 0
    for names in (points, folders):
        assert sum(name in seen for name in names) == 1
    assert mounted_below(node.points) == []


def test_requirements_are_given_too(node: Node, tmp_path: Path) -> None:
    files = wheel("tinything", "1.0", content="VALUE = 'tiny'\n")
    (name,) = files
    code = "import tinything\ndef main(payload=None):\n    return tinything.__file__\n"
    image = node.image(zipped({"new_module.py": code, "requirements.txt": f"./{name}", **files}))
    with blank_container(node.engine, node.runtime, tmp_path / "run") as (blank, link):
        assert node.run(blank, link, image) == "/opt/pratai/packages/tinything.py"


def test_what_is_not_unpacked_is_soon(node: Node, tmp_path: Path) -> None:
    image = node.image(package("def main(payload=None):\n    return payload\n"))
    subprocess.run(["rm", "-r", unpacked_path(node.conf)], check=True)
    later = opened_again(node)
    with blank_container(later, node.runtime, tmp_path / "run") as (blank, link):
        assert blank.give(image, 64, 1.0) is None
        until(lambda: image_is_given(blank, image), "its files are unpacked")
        assert answered(blank, OWN_FILES, image, link, b"1").output == b"1"
    later.close()


def image_is_given(blank: Blank, image: str) -> bool:
    return blank.give(image, 64, 1.0) == OWN_FILES


def opened_again(node: Node) -> DockerEngine:
    """Return an engine as the next process of the node has it, after a kill -9 of the first."""
    engine = DockerEngine.from_conf(node.conf)
    engine.prepare(lambda _output: None)
    engine.open()
    return engine


def test_an_image_that_is_no_function_of_the_runtime_is_not_given(
    node: Node, tmp_path: Path
) -> None:
    image = node.image(package("def main(payload=None):\n    return payload\n"))
    seed = docker("images", "--quiet", f"{node.conf.installation}/seed").splitlines()[0]
    with blank_container(node.engine, node.runtime, tmp_path / "run") as (blank, link):
        for other in (node.runtime, seed):
            assert blank.give(other, 64, 1.0) is None
        assert blank.give(image, 64, 1.0) == OWN_FILES
        link.close()
    with blank_container(node.engine, image, tmp_path / "run") as (blank, link):
        assert blank.give(image, 64, 1.0) is None
        link.close()


def test_a_crash_leaves_nothing_after_the_next_start(node: Node, tmp_path: Path) -> None:
    image = node.image(package("def main(payload=None):\n    return payload\n"))
    links = [Link(tmp_path / f"run{number}") for number in range(2)]
    for link in links:
        blank = node.engine.start_blank(spec_of(node.runtime, link))
        assert blank is not None
        assert blank.give(image, 64, 1.0) is not None
    assert len(mounted_below(node.points)) == 6
    opened_again(node).close()
    assert mounted_below(node.points) == []
    assert list(node.points.iterdir()) == []
    assert list(unpacked_path(node.conf).glob("*/new_module.py")) != []
    for link in links:
        link.close()


def test_a_dead_node_leaves_nothing_after_anothers_sweep(
    node: Node, make_conf: MakeConf, tmp_path: Path
) -> None:
    link = Link(tmp_path / "run")
    assert node.engine.start_blank(spec_of(node.runtime, link)) is not None
    assert len(mounted_below(node.points)) == 1
    other: Engine = DockerEngine.from_conf(make_conf())
    other.prepare(lambda _output: None)
    other.sweep([node.conf.driver.name])
    assert mounted_below(node.points) == []
    assert list(node.points.iterdir()) == []
    link.close()


def without_capabilities(work: Callable[[], None]) -> None:
    """Do it in a thread that has none: they are a thread's own."""

    def serve() -> None:
        version_3, this_thread, nothing = 0x20080522, 0, (ctypes.c_uint32 * 6)()
        header = (ctypes.c_uint32 * 2)(version_3, this_thread)
        assert ctypes.CDLL(None).capset(header, nothing) == 0
        work()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(serve).result()


def test_without_the_right_to_mount_there_are_none(
    make_conf: MakeConf, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor any fault: the node works as it did before there were any."""
    engine = DockerEngine.from_conf(make_conf())
    runtime = engine.prepare(lambda _output: None)["python3"]

    def work() -> None:
        engine.open()
        try:
            link = Link(tmp_path / "run")
            assert engine.start_blank(spec_of(runtime, link)) is None
            link.close()
        finally:
            engine.close()

    without_capabilities(work)
    said = [line for line in "".join(capfd.readouterr()).splitlines() if "blank" in line]
    assert len(said) == 1
    assert "blank spares are off: this node may not mount anything: [Errno 1]" in said[0]


IN_ANOTHER_NAMESPACE = """
import sys
from pathlib import Path
from pratai_common import conf as configuration
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.link import Link
from tests.contract.test_engine import spec_of

engine = DockerEngine.from_conf(configuration.load("test", sys.argv[2:]))
runtime = engine.prepare(lambda _output: None)["python3"]
engine.open()
try:
    link = Link(Path(sys.argv[1]))
    assert engine.start_blank(spec_of(runtime, link)) is None
    link.close()
finally:
    engine.close()
"""


def test_where_mounts_do_not_reach_the_engine_there_are_none(
    make_conf: MakeConf, tmp_path: Path
) -> None:
    conf = make_conf()
    files = [word for file in conf.config_file for word in ("--config-file", file)]
    done = subprocess.run(
        [
            *("unshare", "--mount", "--propagation=private", sys.executable, "-c"),
            *(IN_ANOTHER_NAMESPACE, str(tmp_path / "run"), *files),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "blank" in line]
    assert len(said) == 1
    assert "blank spares are off: what this node mounts does not reach the Docker" in said[0]
