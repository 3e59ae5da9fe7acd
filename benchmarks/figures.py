"""The figures of the first milestone, measured on the running stack.

Cold: an asynchronous request, from the event to the stored result as a client sees it, against
``docker run`` of the very same image doing nothing (``python3 -c pass``), each with a bridge and
with no network. Interleaved: one of each a round.

Rate: requests a second through the whole chain, durable store included, on an engine that does
nothing. Every counted request is read back from the store with the right result.
"""

import argparse
import queue
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.packages import ECHO
from tests.stack import FINAL, Stack

Timed = Callable[[], None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of the cold figure, at least 5")
    parser.add_argument("--requests", type=int, default=2000, help="of the rate")
    arguments = parser.parse_args()
    commit = _said(["git", "rev-parse", "--short", "HEAD"])
    changed = " (with uncommitted changes)" if _said(["git", "status", "--porcelain"]) else ""
    print(f"commit {commit}{changed}")
    with tempfile.TemporaryDirectory() as folder:
        cold(Path(folder), max(5, arguments.rounds))
    with tempfile.TemporaryDirectory() as folder:
        rate(Path(folder), arguments.requests)


def cold(folder: Path, rounds: int) -> None:
    """Print the time from event to stored result beside that of ``docker run``."""
    stack = Stack(folder).start()
    try:
        function = stack.function(ECHO)
        alone = stack.function(ECHO, network="none")
        image = _newest_image()
        contestants: dict[str, Timed] = {
            "pratai, bridge": lambda: _event(stack, function),
            "pratai, no network": lambda: _event(stack, alone),
            "docker run, bridge": lambda: _docker_run(image, "bridge"),
            "docker run, no network": lambda: _docker_run(image, "none"),
        }
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for contestant in contestants.values():
            contestant()
        for _ in range(rounds):
            for name, contestant in contestants.items():
                began = time.perf_counter()
                contestant()
                times[name].append((time.perf_counter() - began) * 1000)
    finally:
        stack.stop()
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(f"\ncold, {rounds} rounds, milliseconds")
    for name, each in times.items():
        print(f"{name}: median {medians[name]:.0f}, least {min(each):.0f}, most {max(each):.0f}")
        print(f"  raw: {' '.join(f'{value:.0f}' for value in each)}")
    for network in ("bridge", "no network"):
        ratio = medians[f"pratai, {network}"] / medians[f"docker run, {network}"]
        print(f"ratio, {network}: {ratio:.2f}")
    print("target: at most 1.5 x docker run of the same image")


def rate(folder: Path, count: int) -> None:
    """Print requests a second through the whole chain, for 1, 8 and 32 clients."""
    stack = Stack(folder, {"driver": {"engine": "null", "slots": 8}}).start()
    try:
        function = stack.function(ECHO)
        print(f"\nrate, engine that does nothing, {count} requests each, all read back")
        for clients in (1, 8, 32):
            accepted, stored = _flood(stack, function, count, clients)
            print(
                f"{clients} clients: accepted {count / accepted:.0f} a second, "
                f"stored {count / stored:.0f} a second"
            )
    finally:
        stack.stop()


def _flood(stack: Stack, function: str, count: int, clients: int) -> tuple[float, float]:
    """Return the seconds until all were accepted, and until all were stored."""
    ids: dict[str, int] = {}
    numbers = queue.SimpleQueue[int]()
    for number in range(count):
        numbers.put(number)
    threads = [
        threading.Thread(
            target=_client, args=(f"{stack.url}/v1/functions/{function}", numbers, ids)
        )
        for _ in range(clients)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = time.perf_counter() - began
    for status in ("queued", "running", "queued"):
        while stack.get(f"/v1/requests?limit=1&status={status}")["requests"]:
            time.sleep(0.01)
    stored = time.perf_counter() - began
    for request_id, number in ids.items():
        request = stack.get(f"/v1/requests/{request_id}")
        assert (request["status"], request["result"]) == ("success", number), request
    assert len(ids) == count
    return accepted, stored


def _client(url: str, numbers: "queue.SimpleQueue[int]", ids: dict[str, int]) -> None:
    """Send numbers until none is left, and note the request of each."""
    with requests.Session() as session:
        session.trust_env = False
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            answer = session.post(url, json={"payload": number}, timeout=60)
            answer.raise_for_status()
            ids[answer.json()["request_id"]] = number


def _event(stack: Stack, function: str) -> None:
    request_id = stack.submit(function, 1)
    while True:
        request = stack.get(f"/v1/requests/{request_id}")
        if request["status"] in FINAL:
            assert request["result"] == 1, request
            return
        time.sleep(0.002)


def _docker_run(image: str, network: str) -> None:
    command = ["docker", "run", "--rm", "--network", network, image, "python3", "-c", "pass"]
    subprocess.run(command, check=True)


def _newest_image() -> str:
    """Return the function's image: the one that was made last."""
    return _said(["docker", "images", "-q", "pratai/function"]).split()[0]


def _said(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
