"""A snapshot is taken of a stack at work, as the guide says, and the stack goes on from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.elasticsearch_server import Cluster
from tests.packages import ECHO
from tests.pages import ROOT, Command, Reader, steps
from tests.stack import Stack

PAGE = ROOT / "doc" / "source" / "admin" / "backup.rst"
PREFIX = "backup"


@pytest.fixture
def stack(elasticsearch_server: Cluster, tmp_path: Path) -> Iterator[Stack]:
    store = {
        "driver": "elasticsearch",
        "hosts": elasticsearch_server.hosts[0],
        "index_prefix": PREFIX,
    }
    running = Stack(tmp_path, {"driver": {"engine": "null"}, "store": store})
    try:
        yield running.start()
    finally:
        running.stop()


def typed(snapshot: str = "") -> list[Command]:
    """Return what the guide has for Elasticsearch, of this stack."""
    places = (("/backup/elasticsearch", PREFIX), ("pratai-*", f"{PREFIX}-*"), ("NAME", snapshot))
    found = []
    for step in steps(PAGE):
        if isinstance(step, Command) and "$ES/" in step.text:
            text = step.text
            for old, new in places:
                text = text.replace(old, new)
            found.append(Command(text, step.shown))
    return found


def test_a_restored_snapshot_has_what_there_was(
    stack: Stack, elasticsearch_server: Cluster, tmp_path: Path
) -> None:
    environment = {"ES": elasticsearch_server.hosts[0], "no_proxy": "127.0.0.1"}
    reader = Reader(tmp_path, environment)
    function = stack.function(ECHO, name="kept")
    before = stack.run(function, {"n": 1})
    reader.follow(*typed()[:2])
    after = stack.run(function, "too late")

    stack.stop()
    answer = elasticsearch_server.call("GET", "_snapshot/pratai/*")
    [snapshot] = [each["snapshot"] for each in answer["snapshots"]]
    reader.follow(*typed(snapshot)[2:])
    stack.start()

    assert stack.ended(before["request_id"])["result"] == {"n": 1}
    assert stack.call("GET", f"/v1/requests/{after['request_id']}").status_code == 404
    assert stack.run(function, [2])["result"] == [2]
