"""Starts what the platform is compared with, as processes of their own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import requests
import zmq

from benchmarks import chain as chain_roles
from benchmarks.common import ROOT
from tests.ports import free_port
from tests.waiting import until

_HOPS = 3
_ROUND_TRIP_MS = 10_000


@contextmanager
def process(arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of this folder while the block runs."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.terminate()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Give the address of the API's server with no platform behind it."""
    port = free_port()
    conf = folder / "baseline.conf"
    conf.write_text(
        f"[DEFAULT]\nstate_path = {folder}\nlog_dir = {folder}\n"
        f"[api]\nport = {port}\naccess_log = false\n"
    )
    url = f"http://127.0.0.1:{port}"
    with process(["benchmarks.baseline_server", "--config-file", str(conf)]) as running:

        def answers() -> bool:
            assert running.poll() is None, "the baseline server ended"
            try:
                return session.get(f"{url}/unfinished", timeout=5).ok
            except requests.ConnectionError:
                return False

        with requests.Session() as session:
            session.trust_env = False
            until(answers, "the baseline server answers")
        yield url


class RoundTrip:
    """Sends a message through as many bare processes as a call goes through, and takes it back."""

    def __init__(self, push: "zmq.Socket[bytes]", pull: "zmq.Socket[bytes]") -> None:
        self._push = push
        self._pull = pull

    def __call__(self, message: bytes) -> None:
        self._push.send(message)
        assert self._pull.recv() == message


@contextmanager
def round_trip() -> Iterator[RoundTrip]:
    """Start the processes, and connect to the first and the last."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    addresses = [f"tcp://127.0.0.1:{free_port()}" for _ in range(_HOPS + 1)]
    push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    pull.setsockopt(zmq.RCVTIMEO, _ROUND_TRIP_MS)
    with ExitStack() as stack:
        stack.callback(context.destroy, linger=0)
        pull.bind(addresses[-1])
        push.connect(addresses[0])
        for source, target in pairwise(addresses):
            stack.enter_context(process(["benchmarks.forwarder", source, target]))
        yield RoundTrip(push, pull)


@contextmanager
def chain(folder: Path) -> Iterator[str]:
    """Give the address of a plain chain of the platform's shape (``chain.py``)."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def began(role: str, running: subprocess.Popen[bytes]) -> bool:
        assert running.poll() is None, f"the {role} of the chain ended"
        return (folder / role).exists()

    with ExitStack() as stack:
        for role in chain_roles.ROLES:
            command = ["benchmarks.chain", role, str(folder), str(port)]
            running = stack.enter_context(process(command))
            until(partial(began, role, running), f"the {role} of the chain is there")
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        until(partial(_echoes, session, f"{url}/call"), "the chain answers")
        yield url


def _echoes(session: requests.Session, url: str) -> bool:
    try:
        return session.post(url, json={"payload": 1}, timeout=5).text == "1"
    except requests.ConnectionError:
        return False
