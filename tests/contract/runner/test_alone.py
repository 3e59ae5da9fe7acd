"""A runtime whose processes cannot be copied says so, and handles one event."""

import pytest

from tests.contract.runner.node import Node, Runtime


def test_it_says_why_and_handles_one_event(node: Node, runtime: Runtime) -> None:
    if runtime.copies:
        pytest.skip(f"{runtime.name} has copies; see test_processes.py")
    header = node.load("counting", "process").header
    assert (header["op"], header["isolation"]) == ("next", "container")
    assert header["message"]
    assert node.event().result["events"] == 1
    assert node.hangs_up()
