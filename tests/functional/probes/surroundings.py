"""What the probes are let loose on: listeners on this machine, in containers and in a namespace."""

import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.functional.probes.probes import LISTENER_PORT
from tests.packages import zipped
from tests.stack import Stack
from tests.waiting import until

HERE = Path(__file__).parent
PROBE_FILE = (HERE / "probes.py").read_text()
IN_IMAGE = "/opt/pratai/function/probes.py"
_LISTEN = """
import signal, socket
server = socket.create_server(("0.0.0.0", 80))
print("listening", flush=True)
signal.pause()
"""
_REACH = """
import json, socket, sys
outcomes = {}
for address in sys.argv[1:]:
    try:
        socket.create_connection((address, 80), 2).close()
        outcomes[address] = "connected"
    except OSError as error:
        outcomes[address] = str(error)
print(json.dumps(outcomes))
"""
_KNOCK = """
import selectors, socket, sys, time
waiting, connected = selectors.DefaultSelector(), 0
print("knocking", flush=True)
ends = time.monotonic() + float(sys.argv[2])
while time.monotonic() < ends:
    knock = socket.socket()
    knock.setblocking(False)
    knock.connect_ex((sys.argv[1], 80))
    waiting.register(knock, selectors.EVENT_WRITE)
    for key, _ in waiting.select(0.005):
        waiting.unregister(key.fileobj)
        connected += key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        key.fileobj.close()
print(connected)
"""
_CALLS = "import probes\n\n\ndef main(payload=None):\n    return probes.{}(payload)\n"

# What docker run --privileged gives, as far as the probes need it: not every machine lets Docker
# have all of it.
_CAPABILITIES = ("DAC_READ_SEARCH", "NET_ADMIN", "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE", "SYSLOG")
_UNCONFINED = [
    *("--user=0", "--pid=host", "--memory=256m"),
    *(f"--cap-add={name}" for name in _CAPABILITIES),
    *(f"--security-opt={what}=unconfined" for what in ("seccomp", "apparmor", "systempaths")),
    *(f"--device=/dev/{name}" for name in ("kmsg", "fuse", "loop-control", "net/tun")),
    "--device-cgroup-rule=a *:* rwm",
    "--volume=/var/run/docker.sock:/var/run/docker.sock",
]
WRITABLE_SYS = """
set -e
cgroup=/sys/fs/cgroup
[ ! -d $cgroup/memory ] || cgroup=$cgroup/memory
mount -o remount,rw /sys
mount -o remount,bind,rw $cgroup
"""
IPV6 = """
set -e
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
"""


def run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


# Zips


def function_zip(calls: str, requirements: str = "", **files: str) -> bytes:
    """Return a function that has the probes' file and calls something in it."""
    content = {"new_module.py": _CALLS.format(calls), "requirements.txt": requirements}
    return zipped({**content, "probes.py": PROBE_FILE, **files})


def hostile_package(targets: dict[str, Any]) -> dict[str, str]:
    """Return the files of a package that tries everything while it is built."""
    return {
        "hostile/setup.py": (HERE / "setup.py").read_text(),
        "hostile/probes.py": PROBE_FILE,
        "hostile/targets.json": json.dumps(targets),
    }


# A place that is not this machine, and yet is


@contextmanager
def elsewhere(*addresses: str) -> Iterator[None]:
    """Have something listen on port 80 of these addresses, in a network namespace of its own.

    Without the namespace they lead nowhere: what is sent to them cannot leave the machine.
    """
    name = f"pt{uuid.uuid4().hex[:8]}"
    host, inside, within = f"{name}a", f"{name}b", ("ip", "-n", name)
    with ExitStack() as undo:
        for address in addresses:
            route = ("blackhole", f"{address}/32", "metric", "4096")
            run("ip", "route", "add", *route)
            undo.callback(run, "ip", "route", "del", *route)
        run("ip", "netns", "add", name)
        undo.callback(run, "ip", "netns", "del", name)
        run("ip", "link", "add", host, "type", "veth", "peer", inside, "netns", name)
        undo.callback(run, "ip", "link", "del", host)
        run("ip", "address", "add", "169.254.169.253/32", "dev", host)
        run("ip", "link", "set", host, "up")
        run(*within, "link", "set", inside, "up")
        run(*within, "route", "add", "169.254.169.253", "dev", inside)
        for address in addresses:
            run(*within, "address", "add", f"{address}/32", "dev", inside)
            run("ip", "route", "add", f"{address}/32", "dev", host)
        undo.enter_context(_listener(name))
        yield


@contextmanager
def _listener(namespace: str) -> Iterator[None]:
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", _LISTEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"listening\n"
            yield
        finally:
            server.terminate()


# Docker's networks and containers


class Bridge(NamedTuple):
    """A Docker network as the host sees it."""

    network: str
    interface: str
    gateway: str

    @classmethod
    def of(cls, network: str) -> "Bridge":
        seen = json.loads(run("docker", "network", "inspect", network))[0]
        interface = seen["Options"]["com.docker.network.bridge.name"]
        return cls(network, interface, seen["IPAM"]["Config"][0]["Gateway"])

    def gateway6(self) -> str:
        """Return the host's link-local address here once it may be used, and nothing before."""
        shown = json.loads(run("ip", "-j", "-6", "address", "show", "dev", self.interface))
        addresses = [address for link in shown for address in link.get("addr_info", [])]
        return next((each["local"] for each in addresses if not each.get("tentative")), "")


@contextmanager
def ordinary_bridge(label: str) -> Iterator[Bridge]:
    unique = uuid.uuid4().hex[:8]
    name = f"ordinary-{unique}"
    option = f"--opt=com.docker.network.bridge.name=pt{unique}"
    run("docker", "network", "create", label, option, name)
    try:
        yield Bridge.of(name)
    finally:
        run("docker", "network", "rm", name)


class Listener(NamedTuple):
    """A container that can be connected to."""

    container: str
    address: str


@contextmanager
def listening_container(image: str, label: str, bridge: Bridge) -> Iterator[Listener]:
    """Have a container listen, and be published on the host's address in its own network."""
    published = f"--publish={bridge.gateway}::{LISTENER_PORT}"
    where = (label, f"--network={bridge.network}", published, image)
    container = run("docker", "run", "--detach", *where, "python3", IN_IMAGE)
    try:
        said = until(lambda: run("docker", "logs", container), "it listens")
        yield Listener(**json.loads(said))
    finally:
        run("docker", "rm", "--force", "--volumes", container)


@contextmanager
def listening_run(stack: Stack, function_id: str) -> Iterator[Listener]:
    """Have a run of another function listen."""
    request_id = stack.submit(function_id)
    try:
        yield Listener(**json.loads(until(lambda: stack.logs(request_id), "it listens")))
    finally:
        stack.call("DELETE", f"/v1/requests/{request_id}")
        assert stack.ended(request_id)["status"] == "cancelled"


def published(container: str) -> list[Any]:
    """Return where on the host a container is published."""
    host, port = run("docker", "port", container, str(LISTENER_PORT)).rsplit(":", 1)
    return [host, int(port)]


def unconfined(
    image: str, label: str, network: str, targets: dict[str, Any], probes: list[str], first: str
) -> dict[str, str]:
    """Return how these probes end in an unconfined container; ``first`` is what its shell does."""
    payload = json.dumps({"targets": targets, "probes": probes})
    command = ("sh", "-c", f'{first}\nexec python3 {IN_IMAGE} "$0"', payload)
    where = (label, f"--network={network}", *_UNCONFINED, image)
    outcomes: dict[str, str] = json.loads(run("docker", "run", "--rm", *where, *command))
    return outcomes


def reached(image: str, label: str, network: str, *addresses: str) -> dict[str, str]:
    """Return how it went, from a container of this network, to connect to port 80 there."""
    where = (label, f"--network={network}", image)
    said = run("docker", "run", "--rm", *where, "python3", "-c", _REACH, *addresses)
    outcomes: dict[str, str] = json.loads(said)
    return outcomes


@contextmanager
def knocking(image: str, label: str, network: str, address: str, seconds: int) -> Iterator[str]:
    """Have a container of this network connect to port 80 there again and again."""
    where = (label, f"--network={network}", "--ulimit=nofile=4096", image)
    command = ("python3", "-c", _KNOCK, address, str(seconds))
    container = run("docker", "run", "--detach", *where, *command)
    try:
        until(lambda: run("docker", "logs", container), "it knocks")
        yield container
    finally:
        run("docker", "rm", "--force", "--volumes", container)


def connections(container: str) -> int:
    """Return how often what knocked was let in, once it has ended."""
    run("docker", "wait", container)
    return int(run("docker", "logs", container).splitlines()[-1])


# The host's side


@contextmanager
def listening_host(bridge: Bridge) -> Iterator[dict[str, Any]]:
    """Listen on the host's addresses on this network, and nowhere else."""
    with (
        socket.create_server((bridge.gateway, 0)) as server,
        socket.socket(socket.AF_INET6) as server6,
    ):
        interface = bridge.interface.encode()
        server6.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface)
        server6.bind(("::", 0))
        server6.listen()
        address6 = until(bridge.gateway6, "the bridge has its address")
        yield {
            "gateway": server.getsockname(),
            "gateway6": [address6, server6.getsockname()[1]],
        }


@contextmanager
def host_process() -> Iterator[int]:
    with subprocess.Popen(["sleep", "infinity"]) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def abstract_socket() -> Iterator[str]:
    name = f"pratai-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        yield name
