"""What hostile code tries. Standard library only: it runs as a function, from a setup.py, and as a
script in an unconfined container.

A probe ends, or raises the OSError by which it was refused. None of them harms the machine where
it succeeds: what is opened is not used, what is set gets the value that it had.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Targets = dict[str, Any]
Probe = Callable[[Targets], None]
DID_IT = "did it"
PATIENCE_SECONDS = 2
LISTENER_PORT = 7357
PROBES: dict[str, Probe] = {}
_USER = 10001
_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {
    "x86_64": {"add_key": 248, "request_key": 249, "keyctl": 250, "perf_event_open": 298,
               "bpf": 321, "userfaultfd": 323, "clone3": 435},
    "aarch64": {"add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241,
                "bpf": 280, "userfaultfd": 282, "clone3": 435},
}  # fmt: skip
_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000


def probe(function: Probe) -> Probe:
    PROBES[function.__name__] = function
    return function


def libc(name: str, *arguments: Any) -> int:
    """Call a function of the C library; raises what it failed with."""
    result: int = getattr(_LIBC, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def kernel(name: str, *arguments: int | bytes) -> int:
    """Call the kernel where the C library has no function for it."""
    number = _NUMBERS[os.uname().machine][name]
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return libc("syscall", ctypes.c_long(number), *whole)


def connect(host: str, port: int) -> None:
    socket.create_connection((host, port), PATIENCE_SECONDS).close()


def open_for(flags: int, path: str | Path) -> None:
    os.close(os.open(path, flags))


def something_in(content: bytes | list[str]) -> None:
    """Docker lays something empty over what it hides: it can be opened all the same."""
    if not content:
        raise OSError("nothing in it")


# The host


@probe
def docker_socket(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/var/run/docker.sock")
        client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        something_in(client.recv(1))


@probe
def abstract_socket_of_the_host(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + targets["abstract_socket"])


@probe
def api_on_loopback(targets: Targets) -> None:
    connect("127.0.0.1", targets["ports"]["api"])


@probe
def scheduler_on_loopback(targets: Targets) -> None:
    connect("127.0.0.1", targets["ports"]["scheduler"])


@probe
def collector_on_loopback(targets: Targets) -> None:
    connect("127.0.0.1", targets["ports"]["collector"])


@probe
def node_on_loopback(targets: Targets) -> None:
    connect("127.0.0.1", targets["ports"]["driver"])


@probe
def process_of_the_host(targets: Targets) -> None:
    something_in(Path(f"/proc/{targets['process']}/cmdline").read_bytes())


@probe
def files_of_the_host(targets: Targets) -> None:
    something_in(os.listdir(f"/proc/{targets['process']}/root/"))  # noqa: PTH208


@probe
def signal_to_the_host(targets: Targets) -> None:
    os.kill(targets["process"], 0)


@probe
def trace_of_the_host(targets: Targets) -> None:
    attach, detach = 16, 17
    libc("ptrace", attach, targets["process"], None, None)
    os.waitpid(targets["process"], 0)
    libc("ptrace", detach, targets["process"], None, None)


# The network


@probe
def host_as_gateway(targets: Targets) -> None:
    connect(*targets["gateway"])


@probe
def host_by_another_address(targets: Targets) -> None:
    connect(*targets["other"])


@probe
def host_over_ipv6(targets: Targets) -> None:
    address, port = targets["gateway6"]
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.connect((address, port, 0, socket.if_nametoindex("eth0")))


@probe
def neighbour(targets: Targets) -> None:
    connect(targets["neighbour"], LISTENER_PORT)


@probe
def neighbour_by_ping(targets: Targets) -> None:
    echo_request = struct.pack("!BBHHH", 8, 0, 0, 0, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.sendto(echo_request, (targets["neighbour"], 0))
        client.recv(64)


@probe
def container_of_another_network(targets: Targets) -> None:
    connect(targets["stranger"], LISTENER_PORT)


@probe
def published_port_of_another_container(targets: Targets) -> None:
    connect(*targets["published"])


@probe
def metadata(targets: Targets) -> None:
    connect("169.254.169.254", 80)


@probe
def raw_socket(targets: Targets) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


@probe
def packet_socket(targets: Targets) -> None:
    all_protocols = 3
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(all_protocols)).close()


@probe
def interface_settings(targets: Targets) -> None:
    get_flags, set_flags = 0x8913, 0x8914
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        as_it_is = fcntl.ioctl(any_socket, get_flags, struct.pack("16sh14x", b"eth0", 0))
        fcntl.ioctl(any_socket, set_flags, as_it_is)


# Mounts and namespaces


@probe
def mount_tmpfs(targets: Targets) -> None:
    libc("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, None)


@probe
def mount_proc(targets: Targets) -> None:
    libc("mount", b"proc", b"/mnt", b"proc", 0, None)


@probe
def mount_cgroups(targets: Targets) -> None:
    libc("mount", b"cgroup", b"/mnt", b"cgroup2", 0, None)


@probe
def mount_a_folder_elsewhere(targets: Targets) -> None:
    bind = 4096
    libc("mount", b"/etc", b"/mnt", None, bind, None)


@probe
def mount_root_writable(targets: Targets) -> None:
    remount_bind = 32 | 4096
    libc("mount", None, b"/", None, remount_bind, None)


@probe
def mount_by_descriptor(targets: Targets) -> None:
    os.close(libc("fsopen", b"tmpfs", 0))


@probe
def unmount(targets: Targets) -> None:
    libc("umount2", b"/dev/mqueue", 0)


@probe
def new_mount_namespace(targets: Targets) -> None:
    libc("unshare", _NEW_MOUNTS)


@probe
def new_network_namespace(targets: Targets) -> None:
    libc("unshare", _NEW_NETWORK)


@probe
def new_user_namespace(targets: Targets) -> None:
    libc("unshare", _NEW_USER)


@probe
def new_user_namespace_by_clone3(targets: Targets) -> None:
    arguments = struct.pack("8Q", _NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    if kernel("clone3", arguments, len(arguments)) == 0:
        os._exit(0)


@probe
def enter_a_namespace(targets: Targets) -> None:
    with Path("/proc/self/ns/net").open() as namespace:
        libc("setns", namespace.fileno(), 0)


@probe
def chroot(targets: Targets) -> None:
    os.chroot("/")


# Being somebody else


@probe
def setuid_binary(targets: Targets) -> None:
    """Without root's rights passwd sees only that there is such a user."""
    said = subprocess.run(
        ["passwd", "--status"], user=_USER, group=_USER, check=True, capture_output=True, text=True
    )
    if len(said.stdout.split()) != 7:
        raise OSError(f"passwd says no more than {said.stdout.strip()}")


@probe
def setgid_binary(targets: Targets) -> None:
    said = subprocess.run(
        ["chage", "--list", "pratai"],
        user=_USER,
        group=_USER,
        check=False,
        capture_output=True,
        text=True,
    )
    if said.returncode != 0:
        raise OSError(said.stderr.strip())


@probe
def become_root(targets: Targets) -> None:
    os.setuid(0)


@probe
def become_one_of_roots_group(targets: Targets) -> None:
    os.setgroups([0])


@probe
def give_a_file_to_root(targets: Targets) -> None:
    path = Path("/tmp/given")
    path.touch()
    os.chown(path, 0, 0)


@probe
def gain_a_capability(targets: Targets) -> None:
    version_3, net_raw = 0x20080522, 1 << 13
    header = struct.pack("II", version_3, 0)
    libc("capset", header, struct.pack("6I", net_raw, net_raw, 0, 0, 0, 0))


@probe
def read_shadow(targets: Targets) -> None:
    open_for(os.O_RDONLY, "/etc/shadow")


@probe
def change_passwd(targets: Targets) -> None:
    open_for(os.O_WRONLY, "/etc/passwd")


@probe
def change_the_runner(targets: Targets) -> None:
    open_for(os.O_WRONLY, "/opt/pratai/runner/runner.py")


# /proc and /sys


@probe
def core_pattern(targets: Targets) -> None:
    open_for(os.O_WRONLY, "/proc/sys/kernel/core_pattern")


@probe
def keys_of_everybody(targets: Targets) -> None:
    something_in(Path("/proc/keys").read_bytes())


@probe
def timers_of_everybody(targets: Targets) -> None:
    something_in(Path("/proc/timer_list").read_bytes())


@probe
def kernel_settings(targets: Targets) -> None:
    open_for(os.O_WRONLY, "/sys/kernel/rcu_expedited")


@probe
def firmware(targets: Targets) -> None:
    something_in(os.listdir("/sys/firmware"))  # noqa: PTH208


@probe
def own_memory_limit(targets: Targets) -> None:
    paths = (
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    )
    limit = next(path for path in paths if path.exists())
    limit.write_text(str(int(limit.read_text()) + 4096))


@probe
def own_cgroup(targets: Targets) -> None:
    of_memory = Path("/sys/fs/cgroup/memory")
    child = (of_memory if of_memory.is_dir() else of_memory.parent) / "child"
    child.mkdir()
    child.rmdir()


# Kernel keyrings


def _add_key() -> None:
    process_keyring = -2
    kernel("add_key", b"user", b"pratai-probe", b"x", 1, process_keyring)


@probe
def add_key(targets: Targets) -> None:
    _add_key()


@probe
def request_key(targets: Targets) -> None:
    with suppress(PermissionError):
        _add_key()
    kernel("request_key", b"user", b"pratai-probe", 0, 0)


@probe
def look_up_a_keyring(targets: Targets) -> None:
    get_keyring_id, session_keyring = 0, -3
    kernel("keyctl", get_keyring_id, session_keyring, 0)


# Device nodes


@probe
def make_a_device(targets: Targets) -> None:
    os.mknod("/tmp/device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))


@probe
def make_a_disk(targets: Targets) -> None:
    os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(7, 0))
    open_for(os.O_RDONLY, "/tmp/disk")


@probe
def kernel_messages(targets: Targets) -> None:
    open_for(os.O_RDONLY | os.O_NONBLOCK, "/dev/kmsg")


@probe
def fuse(targets: Targets) -> None:
    open_for(os.O_RDWR, "/dev/fuse")


@probe
def loop_devices(targets: Targets) -> None:
    open_for(os.O_RDWR, "/dev/loop-control")


@probe
def tunnels(targets: Targets) -> None:
    open_for(os.O_RDWR, "/dev/net/tun")


# The rest of the kernel


@probe
def kernel_log(targets: Targets) -> None:
    size_of_its_buffer = 10
    libc("klogctl", size_of_its_buffer, None, 0)


@probe
def bpf(targets: Targets) -> None:
    create_a_map, an_array = 0, struct.pack("4I", 2, 4, 4, 1)
    os.close(kernel("bpf", create_a_map, an_array, len(an_array)))


@probe
def performance_events(targets: Targets) -> None:
    software_clock = struct.pack("IIQ", 1, 112, 0).ljust(112, b"\0")
    os.close(kernel("perf_event_open", software_clock, 0, -1, -1, 0))


@probe
def page_faults(targets: Targets) -> None:
    os.close(kernel("userfaultfd", 0))


@probe
def events_of_file_systems(targets: Targets) -> None:
    os.close(libc("fanotify_init", 0, 0))


@probe
def file_by_its_handle(targets: Targets) -> None:
    """Around the paths, and so around what a container's root keeps out of sight."""
    here, handle = -100, ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    libc("name_to_handle_at", here, b"/dev/shm", handle, ctypes.byref(ctypes.c_int()), 0)
    folder = os.open("/dev/shm", os.O_RDONLY)
    os.close(libc("open_by_handle_at", folder, handle, os.O_RDONLY))


@probe
def host_name(targets: Targets) -> None:
    socket.sethostname(socket.gethostname())


@probe
def priority(targets: Targets) -> None:
    os.nice(-1)


# Running them


def attempt(name: str, targets: Targets) -> str:
    try:
        PROBES[name](targets)
    except OSError as error:
        return error.strerror or str(error)
    except Exception as error:  # noqa: BLE001 - a probe that broke is seen by the test
        return repr(error)
    return DID_IT


def outcome(name: str, targets: Targets) -> str:
    """Run a probe in a process of its own: what it changes of itself ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, attempt(name, targets).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def main(payload: Any = None) -> dict[str, str]:
    """Return how the probes of these names, or all, ended."""
    names = payload.get("probes") or PROBES
    return {name: outcome(name, payload["targets"]) for name in names}


def listen(payload: Any = None) -> None:
    """Be somebody's container that can be connected to: print where, and stay."""
    address = socket.gethostbyname(socket.gethostname())
    with socket.create_server(("0.0.0.0", LISTENER_PORT)):
        connect(address, LISTENER_PORT)
        print(json.dumps({"container": socket.gethostname(), "address": address}), flush=True)
        signal.pause()


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(main(json.loads(sys.argv[1]))))
    else:
        listen()
