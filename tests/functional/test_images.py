"""Images on a running node: what is gone is made again, and builds leave runs their slots."""

import hashlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

SLOTS, BUILD_SECONDS = 2, 300
HANGS = "import time\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One whose node makes one image at a time."""
    settings: dict[str, dict[str, Any]] = {
        "build": {"parallel": 1, "timeout": BUILD_SECONDS, "network": "none"},
        "driver": {"slots": SLOTS, "sweep_seconds": 0.5},
    }
    running = Stack(tmp_path_factory.mktemp("images"), settings).start()
    yield running
    running.stop()


def image_of(stack: Stack, content: bytes) -> str:
    """Return the image that the node has made of a zip, as it notes with each sweep."""
    path = stack.folder / "state" / "nodes" / stack.node / "images.json"
    sha256 = hashlib.sha256(content).hexdigest()

    def look() -> str | None:
        known = json.loads(path.read_bytes())["known"] if path.exists() else {}
        return next((image for key, image in known.items() if sha256 in key), None)

    return str(until(look, "the node notes the image"))


def saying(text: str) -> bytes:
    return package(f"def main(payload=None):\n    return {text!r}\n")


def test_an_image_that_somebody_removed_is_made_again(stack: Stack) -> None:
    text = uuid.uuid4().hex
    content = saying(text)
    function = stack.function(content)
    subprocess.run(["docker", "rmi", image_of(stack, content)], check=True, capture_output=True)
    request = stack.run(function)
    assert (request["result"], len(request["attempts"])) == (text, 1)
    again = stack.run(function)
    assert (again["result"], len(again["attempts"])) == (text, 1)


def test_builds_that_wait_take_no_slot_from_runs(stack: Stack) -> None:
    ordinary = stack.function(saying("ordinary"))
    slow = [
        stack.upload(
            package(
                "def main(payload=None): pass\n",
                "./slow\n",
                **{"slow/setup.py": f"# {number}\n{HANGS}"},
            )
        ).json()
        for number in range(SLOTS + 1)
    ]
    logs = [each["logs_endpoint"] for each in slow]

    def begun() -> list[bool]:
        return ["Processing ./slow" in stack.call("GET", each).text for each in logs]

    until(lambda: any(begun()), "a build runs")
    assert stack.run(ordinary)["result"] == "ordinary"
    assert sum(begun()) == 1
    for each in slow:
        found = stack.get(f"/v1/functions/{each['function_id']}")
        assert found["status"] == "building"
        assert stack.call("DELETE", f"/v1/functions/{each['function_id']}").ok
    # The build that hangs is ended, and makes room for the next that anybody wants.
    assert stack.run(stack.function(saying("another")))["result"] == "another"
