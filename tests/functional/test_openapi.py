"""The API as its OpenAPI document says it, by schemathesis: every check, every operation, every
link from what was made to what can be done with it.

What the document does not say is in ``openapi_hooks.py`` and, where only this stack knows it, in
``SETTINGS``. The engine runs nothing: what is tested is what the API takes and answers.
"""

import base64
import json
import os
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from pratai_common import limits
from pratai_common.archives.filesystem import FilesystemArchives
from pratai_common.clock import now_ms
from pratai_common.envelopes import Opener
from pratai_common.node_urls import NodeUrls
from pratai_common.tokens import load_key
from tests.functional.openapi_hooks import EXCLUSIONS, LEFT_OUT
from tests.packages import ECHO
from tests.stack import BIN, Stack
from tests.unit.test_node_routes import CLAIM, claim_of

SETTINGS = """
seed = {seed}
request-timeout = 120
[cache]
enabled = false
[generation]
max-examples = 20
database = "none"
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 405, 409, 413, 414, 422, 429, 431]
[dictionaries]
functions.values = [{functions}]
events.values = [{events}]
tokens.values = [{tokens}]
ended.values = [{ended}]
waiting.values = [{waiting}]
no_wait.values = [0]
archives.values = [{archives}]
expiries.values = [{expiries}]
signatures.values = [{signatures}]
claims.values = [{claims}]
needy.values = [{needy}]
needs.values = [{needs}]
node_keys.values = [{node_keys}]
[parameters]
"path.token" = {{ dictionary = "tokens", probability = 0.7 }}
"query.wait" = {{ dictionary = "no_wait", probability = 0.7 }}
[[operations]]
include-operation-id = "calls_execute_post"
parameters = {{ "path.function_id" = {{ dictionary = "functions", probability = 0.7 }} }}
[[operations]]
include-operation-id = "subscriptions_create_post"
parameters = {{ "path.function_id" = {{ dictionary = "functions", probability = 0.7 }} }}
[[operations]]
include-operation-id = "events_publish_post"
parameters = {{ "path.event_id" = {{ dictionary = "events", probability = 0.7 }} }}
[[operations]]
include-operation-id = "requests_replay_post"
parameters = {{ "path.request_id" = {{ dictionary = "ended", probability = 0.7 }} }}
[[operations]]
include-operation-id = "requests_cancel_delete"
parameters = {{ "path.request_id" = {{ dictionary = "waiting", probability = 0.5 }} }}
[[operations]]
include-operation-id = "node_archive_get"
[operations.parameters]
"path.sha256" = {{ dictionary = "archives", probability = 0.8 }}
"query.expires" = {{ dictionary = "expiries", probability = 0.8 }}
"query.signature" = {{ dictionary = "signatures", probability = 0.8 }}
[[operations]]
include-operation-id = "node_keep_post"
parameters = {{ "header.X-Pratai-Claim" = {{ dictionary = "claims", probability = 0.7 }} }}
[[operations]]
include-operation-id = "node_secrets_give_get"
[operations.parameters]
"query.function_id" = {{ dictionary = "needy", probability = 0.9 }}
"query.expires" = {{ dictionary = "expiries", probability = 0.9 }}
"query.signature" = {{ dictionary = "needs", probability = 0.9 }}
"header.X-Pratai-Claim" = {{ dictionary = "claims", probability = 0.9 }}
"header.X-Pratai-Key" = {{ dictionary = "node_keys", probability = 0.9 }}
[phases.stateful]
max-steps = 8
inference.algorithms = []  # links of its own guessing: they would leave little time to ours
[phases.stateful.generation]
max-examples = 100
"""
MOST_SUITES = 8
"""Of stateful tests, each with a seed of its own, until every link was followed."""


@pytest.fixture
def plain_stack() -> Iterator[Stack]:
    with TemporaryDirectory() as folder:  # a short path: those of sockets have 107 bytes at most
        names = ("events", "published_events", "timers", "functions", "keys")
        quota = dict.fromkeys(names, 10_000)
        node = {"engine": "null", "memory": limits.MAX_MEMORY_MB - 1}
        settings = {"driver": node, "quota": quota}
        running = Stack(Path(folder), settings).start()
        yield running
        running.stop()


class Reported(NamedTuple):
    """What a run of schemathesis reported: answers by operation and class of status, and links
    followed.
    """

    answers: Counter[tuple[str, int]]
    links: Counter[str]


def run(stack: Stack, folder: Path, seed: int, phases: str) -> Reported:
    """Run schemathesis, which finds no failure, and return what it reports."""
    lists = {name: ", ".join(map(json.dumps, known)) for name, known in values(stack).items()}
    settings, report = folder / f"schemathesis-{seed}.toml", folder / f"report-{seed}.ndjson"
    settings.write_text(SETTINGS.format(seed=seed, **lists))
    command = [
        BIN / "schemathesis", "--config-file", settings, "run", f"{stack.url}/v1/openapi.json",
        "--checks", "all", "--phases", phases, "--continue-on-failure", "--no-color",
        "--report-ndjson-path", report,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.functional.openapi_hooks",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "NO_PROXY": "127.0.0.1",
    }
    output = folder / f"schemathesis-{seed}.txt"
    with output.open("w") as file:
        done = subprocess.run(
            command, check=False, cwd=folder, env=environment, stdout=file, stderr=file, timeout=600
        )
    assert done.returncode == 0, output.read_text()
    return read(report)


def read(report: Path) -> Reported:
    found = Reported(Counter(), Counter())
    with report.open() as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished")
            if scenario is not None:
                count(scenario["recorder"], found)
    return found


def count(recorder: dict[str, Any], found: Reported) -> None:
    for name, case in recorder.get("cases", {}).items():
        operation = f"{case['value']['method']} {case['value']['path']}"
        code = recorder["interactions"][name]["response"]["status_code"]
        found.answers[operation, code // 100] += 1
        if case["is_transition_applied"]:
            found.links[case["transition"]["id"]] += 1


def operations(document: dict[str, Any]) -> list[str]:
    found = [
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    ]
    return [each for each in found if each not in LEFT_OUT]


def links(document: dict[str, Any]) -> list[str]:
    """Return the document's links as schemathesis names them."""
    paths = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    return [
        f"{method.upper()} {path} -> [{code}] {name} -> {paths[link['operationId']]}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for code, response in operation["responses"].items()
        for name, link in response.get("links", {}).items()
    ]


def values(stack: Stack) -> dict[str, list[Any]]:
    """Return ids that answers of this stack have had, each time of what was made anew: the tests
    delete, disable and cancel what they find.
    """
    public = stack.function(ECHO, public=True)
    event = stack.call("POST", "/v1/events", json={"name": f"e{uuid.uuid4().hex}"}).json()
    return {
        "functions": [public],
        "events": [event["event_id"]],
        "tokens": [stack.get(f"/v1/functions/{public}")["endpoint"].rsplit("/", 1)[-1]],
        "ended": [stack.run(public)["request_id"]],
        "waiting": waiting_requests(stack),
        **of_nodes(stack.folder / "state", stack.function(ECHO)),
    }


def of_nodes(state: Path, needy: str) -> dict[str, list[Any]]:
    """Return what a node of this stack has been given: an archive's address, a claim, and the
    address of what a function needs beside its code; and a key of the node's.
    """
    key, expires = load_key(state / "keys" / "job-tokens"), now_ms() // 1000 + 3600
    urls = NodeUrls("", key)
    archives = FilesystemArchives(state / "archives", urls)
    name = archives.put(b"content")
    needs = urls.secrets(needy, CLAIM["request_id"], expires)
    return {
        "archives": [name],
        "expiries": [expires],
        "signatures": [archives.url(name, expires).rpartition("=")[2]],
        "claims": [claim_of(key)],
        "needy": [needy],
        "needs": [needs.rpartition("=")[2]],
        "node_keys": [base64.b64encode(Opener.ephemeral().public).decode()],
    }


def waiting_requests(stack: Stack) -> list[str]:
    """Return requests that wait for good: no node has the memory for them."""
    function = stack.function(ECHO, memory=limits.MAX_MEMORY_MB)
    return [stack.submit(function) for _ in range(20)]


def test_the_api_is_what_its_document_says(
    plain_stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = plain_stack
    document, pids = stack.get("/v1/openapi.json"), stack.pids()
    found = run(stack, tmp_path, 0, "examples,coverage,fuzzing")
    wanted = links(document)
    for seed in range(1, MOST_SUITES + 1):
        more = run(stack, tmp_path, seed, "stateful")
        found = Reported(*(first + second for first, second in zip(found, more, strict=True)))
        if set(found.links) >= set(wanted):
            break
    with capsys.disabled():
        show(found, document)
    assert [each for each in operations(document) if not found.answers[each, 2]] == []
    assert [each for each in wanted if not found.links[each]] == []
    assert len(wanted) > 20
    assert stack.pids() == pids
    assert stack.run(stack.function(ECHO), [1])["result"] == [1]


def show(found: Reported, document: dict[str, Any]) -> None:
    print("\n2xx   4xx  operation")
    for each in operations(document):
        print(f"{found.answers[each, 2]:>3} {found.answers[each, 4]:>5}  {each}")
    print("links followed")
    for each in links(document):
        print(f"{found.links[each]:>3}  {each}")
    print("not taken for failures")
    for each in EXCLUSIONS:
        print(f"     {each.check}, {each.code}, {each.text!r}: {each.reason}")
    for left_out, reason in LEFT_OUT.items():
        print(f"     not sent: {left_out}: {reason}")
