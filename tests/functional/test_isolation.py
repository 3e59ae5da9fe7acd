"""Hostile code: what it does in an unconfined container it cannot do in a run, started for it or
in a container that was blank, nor in a build.

The probes are in ``probes/probes.py``, what they are let loose on in ``probes/surroundings.py``.
Nothing leaves the machine.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pratai_common import conf as configuration
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.folders import node_path
from pratai_drivers.leftovers import NodeLock
from tests.functional.probes import surroundings
from tests.functional.probes.probes import DID_IT, PROBES
from tests.functional.probes.surroundings import (
    Bridge,
    function_zip,
    hostile_package,
    run,
    unconfined,
)
from tests.stack import Stack
from tests.waiting import until

METADATA = "169.254.169.254"
SCHEDULER, COLLECTOR, DENIED, ALLOWED = (f"198.51.100.{number}" for number in range(1, 5))
NOT_PERMITTED = "Operation not permitted"
NO_ACCESS = "Permission denied"
NOT_THERE = "No such file or directory"
READ_ONLY = "Read-only file system"
REFUSED = "Connection refused"
HIDDEN = "nothing in it"
DROPPED = "timed out"

EXPECTED = {
    "docker_socket": NOT_THERE,
    "abstract_socket_of_the_host": REFUSED,
    "api_on_loopback": REFUSED,
    "scheduler_on_loopback": REFUSED,
    "collector_on_loopback": REFUSED,
    "node_on_loopback": REFUSED,
    "process_of_the_host": NOT_THERE,
    "files_of_the_host": NOT_THERE,
    "signal_to_the_host": "No such process",
    "trace_of_the_host": "No such process",
    "host_as_gateway": DROPPED,
    "host_by_another_address": DROPPED,
    "host_over_ipv6": "Cannot assign requested address",
    "neighbour": DROPPED,
    "neighbour_by_ping": DROPPED,
    "container_of_another_network": DROPPED,
    "published_port_of_another_container": DROPPED,
    "metadata": DROPPED,
    "raw_socket": NOT_PERMITTED,
    "packet_socket": NOT_PERMITTED,
    "interface_settings": NOT_PERMITTED,
    "mount_tmpfs": NOT_PERMITTED,
    "mount_proc": NOT_PERMITTED,
    "mount_cgroups": NOT_PERMITTED,
    "mount_a_folder_elsewhere": NOT_PERMITTED,
    "mount_root_writable": NOT_PERMITTED,
    "mount_by_descriptor": NOT_PERMITTED,
    "unmount": NOT_PERMITTED,
    "new_mount_namespace": NOT_PERMITTED,
    "new_network_namespace": NOT_PERMITTED,
    "new_user_namespace": NOT_PERMITTED,
    "new_user_namespace_by_clone3": "Function not implemented",
    "enter_a_namespace": NOT_PERMITTED,
    "chroot": NOT_PERMITTED,
    "setuid_binary": "passwd says no more than pratai P",
    "setgid_binary": "chage: cannot open /etc/shadow",
    "become_root": NOT_PERMITTED,
    "become_one_of_roots_group": NOT_PERMITTED,
    "give_a_file_to_root": NOT_PERMITTED,
    "gain_a_capability": NOT_PERMITTED,
    "read_shadow": NO_ACCESS,
    "change_passwd": NO_ACCESS,
    "change_the_runner": NO_ACCESS,
    "core_pattern": NO_ACCESS,
    "keys_of_everybody": HIDDEN,
    "timers_of_everybody": HIDDEN,
    "kernel_settings": READ_ONLY,
    "firmware": HIDDEN,
    "own_memory_limit": READ_ONLY,
    "own_cgroup": READ_ONLY,
    "add_key": NOT_PERMITTED,
    "request_key": NOT_PERMITTED,
    "look_up_a_keyring": NOT_PERMITTED,
    "make_a_device": NOT_PERMITTED,
    "make_a_disk": NOT_PERMITTED,
    "kernel_messages": NOT_THERE,
    "fuse": NOT_THERE,
    "loop_devices": NOT_THERE,
    "tunnels": NOT_THERE,
    "kernel_log": NOT_PERMITTED,
    "bpf": NOT_PERMITTED,
    "performance_events": NOT_PERMITTED,
    "page_faults": NOT_PERMITTED,
    "events_of_file_systems": NOT_PERMITTED,
    "file_by_its_handle": NOT_PERMITTED,
    "host_name": NOT_PERMITTED,
    "priority": NOT_PERMITTED,
}
# The others' controls are on the host's network.
ON_AN_ORDINARY_BRIDGE = [
    "host_as_gateway",
    "host_by_another_address",
    "host_over_ipv6",
    "neighbour",
    "neighbour_by_ping",
    "container_of_another_network",
    "published_port_of_another_container",
    "metadata",
    "interface_settings",
]


IN_BLANK = """
import probes


def main(payload=None):
    with open("/proc/self/mountinfo") as file:
        mounts = sum(" /opt/pratai/function " in line for line in file)
    return probes.main(payload) if mounts == 2 else None
"""


class Outcomes(NamedTuple):
    """How each probe ended, by its name."""

    control: dict[str, str]
    run: dict[str, str]
    blank: dict[str, str]
    build: dict[str, str]


@pytest.fixture(scope="module")
def label() -> str:
    return f"--label=pratai.test={uuid.uuid4().hex}"


class Scene(NamedTuple):
    """What the probes are let loose on: in our containers, and in unconfined ones."""

    image: str
    bridge: str
    targets: dict[str, Any]
    control_targets: dict[str, Any]


@contextmanager
def scene(stack: Stack, label: str) -> Iterator[Scene]:
    # From its image, which is looked for below: no blank container will do for this environment.
    listening = stack.function(
        function_zip("listen"), timeout=300, environment={"LANG": "C.UTF-8"}, spares=0
    )
    with ExitStack() as opened:
        enter = opened.enter_context
        enter(surroundings.elsewhere(METADATA))
        neighbour = enter(surroundings.listening_run(stack, listening))
        image = run("docker", "inspect", "--format={{.Image}}", neighbour.container)
        ordinary = enter(surroundings.ordinary_bridge(label))
        stranger = enter(surroundings.listening_container(image, label, ordinary))
        host = enter(surroundings.listening_host(Bridge.of(f"pratai-{stack.node}")))
        other_host = enter(surroundings.listening_host(ordinary))
        everywhere = {
            "ports": stack.ports,
            "stranger": stranger.address,
            "published": surroundings.published(stranger.container),
            "process": enter(surroundings.host_process()),
            "abstract_socket": enter(surroundings.abstract_socket()),
        }
        yield Scene(
            image,
            ordinary.network,
            {**everywhere, **host, "other": other_host["gateway"], "neighbour": neighbour.address},
            {**everywhere, **other_host, "other": host["gateway"], "neighbour": stranger.address},
        )


@pytest.fixture(scope="module")
def outcomes(stack: Stack, label: str) -> Outcomes:
    started = {"environment": {"LANG": "C.UTF-8"}}  # read at the start: no blank one will do
    hostile = stack.function(function_zip("main"), memory=256, **started)
    content = function_zip("main", **{"new_module.py": IN_BLANK})
    blanked = stack.function(content, memory=256, spares=0)
    with scene(stack, label) as here:
        upload = function_zip("main", "./hostile\n", **hostile_package(here.targets))
        build = stack.upload(upload).json()["function_id"]
        request_id = stack.submit(hostile, {"targets": here.targets})
        control = _control(here, label)
        blank = until(partial(_in_blank, stack, blanked, here.targets), "it ran in a blank one")
        return Outcomes(control, stack.ended(request_id)["result"], blank, _built(stack, build))


def _in_blank(stack: Stack, function: str, targets: dict[str, Any]) -> dict[str, str] | None:
    """Return the outcomes of a run in a container that was blank, ``None`` if it was not."""
    outcomes: dict[str, str] | None = stack.run(function, {"targets": targets})["result"]
    return outcomes


def _control(here: Scene, label: str) -> dict[str, str]:
    others = [name for name in PROBES if name not in ON_AN_ORDINARY_BRIDGE]
    image, targets = here.image, here.control_targets
    return {
        **unconfined(image, label, here.bridge, targets, ON_AN_ORDINARY_BRIDGE, surroundings.IPV6),
        **unconfined(image, label, "host", targets, others, surroundings.WRITABLE_SYS),
    }


def _built(stack: Stack, function_id: str) -> dict[str, str]:
    """Return the outcomes that a build has left in its log."""
    function = stack.built(function_id)
    log = stack.call("GET", f"/v1/functions/{function_id}/build-log").text
    assert function["status"] == "active", log
    lines = [line for line in log.splitlines() if line.startswith("outcomes: ")]
    assert len(lines) == 1, log
    outcomes: dict[str, str] = json.loads(lines[0].removeprefix("outcomes: "))
    return outcomes


class Node(NamedTuple):
    """The Docker side of a node: the image of its runtime, and its network."""

    image: str
    network: str


@pytest.fixture
def far_from_all(stack: Stack, tmp_path: Path) -> Iterator[Node]:
    """A node whose scheduler and collector are on other machines."""
    path = tmp_path / "far.conf"
    path.write_text(
        f"[DEFAULT]\nlog_dir =\n"
        f"[driver]\nname = test-{uuid.uuid4().hex[:8]}\ndeny = {DENIED}\n"
        f"[sockets]\nscheduler = tcp://{SCHEDULER}:80\ncollector = tcp://{COLLECTOR}:80\n"
    )
    conf = configuration.load("test", [*stack.arguments, "--config-file", str(path)])
    # The stack's own node removes what is left of nodes that hold no lock.
    with NodeLock(node_path(conf)) as lock:
        assert lock.take()
        engine = DockerEngine.from_conf(conf)
        image = engine.prepare(lambda _output: None)["python3"]
        engine.open()
        yield Node(image, f"{conf.installation}-{conf.driver.name}")
        engine.close()


def test_the_control_plane_on_other_machines_cannot_be_reached(
    far_from_all: Node, label: str
) -> None:
    image, network = far_from_all
    addresses = (SCHEDULER, COLLECTOR, DENIED, ALLOWED)
    with surroundings.elsewhere(*addresses), surroundings.ordinary_bridge(label) as ordinary:
        control = surroundings.reached(image, label, ordinary.network, *addresses)
        seen = surroundings.reached(image, label, network, *addresses)
    dropped = dict.fromkeys((SCHEDULER, COLLECTOR, DENIED), DROPPED)
    assert control == dict.fromkeys(addresses, "connected")
    assert seen == {**dropped, ALLOWED: "connected"}


def test_not_even_while_docker_makes_a_network(far_from_all: Node, label: str) -> None:
    """For that Docker takes its own chains out of the packet filter and sets them again."""
    image, network = far_from_all
    counts = {}
    with surroundings.elsewhere(DENIED, ALLOWED):
        for address in (DENIED, ALLOWED):
            with surroundings.knocking(image, label, network, address, 5) as knocking:
                for _ in range(8):
                    with surroundings.ordinary_bridge(label):
                        pass
                counts[address] = surroundings.connections(knocking)
    assert counts[DENIED] == 0
    assert counts[ALLOWED] > 0


def test_every_probe_is_judged() -> None:
    assert list(EXPECTED) == list(PROBES)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_run_cannot(outcomes: Outcomes, name: str) -> None:
    assert (outcomes.control[name], outcomes.run[name]) == (DID_IT, EXPECTED[name])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_container_that_was_blank_cannot(outcomes: Outcomes, name: str) -> None:
    assert (outcomes.control[name], outcomes.blank[name]) == (DID_IT, EXPECTED[name])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_build_cannot(outcomes: Outcomes, name: str) -> None:
    assert (outcomes.control[name], outcomes.build[name]) == (DID_IT, EXPECTED[name])


@pytest.mark.usefixtures("outcomes")
def test_an_ordinary_function_runs_right_after(stack: Stack, echo: str) -> None:
    assert stack.run(echo, {"a": 1})["result"] == {"a": 1}
