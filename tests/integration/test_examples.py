"""The examples do what their pages say, on the embedded stack; ``test_openstack_examples.py`` has
the one that needs more.
"""

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.namespace import Link, Namespace
from tests.pages import ROOT, Reader, steps
from tests.stack import BIN, Stack
from tests.waiting import until

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, which nothing is written into."""
    copy = tmp_path_factory.mktemp("examples") / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def reader(folder: Path, stack: Stack, **environment: str) -> Reader:
    """Return somebody who works with a stack."""
    path = f"{BIN}:/usr/local/bin:/usr/bin:/bin"
    known = {"OS_PRATAI_URL": stack.url, "PATH": path, "no_proxy": "127.0.0.1"}
    return Reader(folder, {**known, **environment})


def requests_of(stack: Stack, name: str) -> list[dict[str, Any]]:
    """Return the requests of a function, newest first."""
    [function] = stack.get(f"/v1/functions?name={name}")["functions"]
    path = f"/v1/requests?function_id={function['function_id']}"
    return list(stack.get(path)["requests"])


def test_thumbnails(stack: Stack, folder: Path) -> None:
    reader(folder, stack).follow(*steps(folder / "thumbnails" / "README.rst"))
    content = (folder / "thumbnail.jpg").read_bytes()
    assert content[:3] == b"\xff\xd8\xff"
    assert {each["status"] for each in requests_of(stack, "thumbnails")} == {"success"}


def test_a_github_webhook(stack: Stack, folder: Path) -> None:
    reader(folder, stack).follow(*steps(folder / "github-webhook" / "README.rst"))
    [request] = requests_of(stack, "github")
    assert (request["source"], request["status"]) == ("webhook", "success")


@pytest.fixture
def orders(folder: Path) -> Iterator[str]:
    """The address of orders, on a server that containers reach: not of this machine."""
    space = Namespace()
    link = Link(space)
    try:
        words = ("-m", "http.server", "80", "--bind", link.there, "--directory")
        with Popen(space.command(sys.executable, *words, folder / "nightly-report")) as server:
            try:
                until(lambda: _answers(link.there, 80), "the server answers")
                yield f"http://{link.there}/orders.csv"
            finally:
                server.terminate()
    finally:
        link.remove()
        space.remove()


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True


def test_a_nightly_report(stack: Stack, folder: Path, orders: str) -> None:
    reader(folder, stack, ORDERS=orders).follow(*steps(folder / "nightly-report" / "README.rst"))
    [function] = stack.get("/v1/functions?name=nightly")["functions"]
    path = f"/v1/functions/{function['function_id']}/subscriptions"
    [timer] = stack.get(path)["subscriptions"]
    path = f"{path}/{timer['subscription_id']}"
    # The night is a second away; what its tick brings is what the timer really sends.
    assert stack.call("PATCH", path, json={"frequency": 1 / 60}).ok
    until(lambda: _by_timer(stack), "the timer has run it")
    assert stack.call("PATCH", path, json={"enabled": False}).ok
    [tick, *_] = _by_timer(stack)
    report = stack.get(f"/v1/requests/{tick['request_id']}")["result"]
    assert report["totals"] == {}
    assert report["day"] < tick["created_at"][:10]


def _by_timer(stack: Stack) -> list[dict[str, Any]]:
    """Return the report's runs by its timer that have succeeded."""
    found = requests_of(stack, "nightly")
    return [each for each in found if (each["source"], each["status"]) == ("timer", "success")]


def test_a_pipeline_of_three_steps(stack: Stack, folder: Path) -> None:
    reader(folder, stack).follow(*steps(folder / "pipeline" / "README.rst"))
    [invoice] = requests_of(stack, "invoice")
    [price] = requests_of(stack, "price")
    assert (invoice["parent_id"], invoice["depth"]) == (price["request_id"], 2)
    statuses = [each["status"] for each in requests_of(stack, "check")]
    assert statuses == ["error", "success"]
