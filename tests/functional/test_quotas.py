"""Quotas of a project on a running stack: what is refused, in which words, and that all goes on as
ever as soon as there is room.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests

from pratai_common.clock import now_ms
from pratai_common.limits import MIB
from pratai_common.store.sqlite import SQLiteStore
from tests.packages import ECHO, package
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

SLEEPER = """
    import time

    def main(payload=None):
        print("it runs", flush=True)
        time.sleep(600)
    """


@contextmanager
def bounded(folder: Path, engine: str = "null", **quota: int) -> Iterator[Stack]:
    """Run a stack with quotas; the engine ``null`` runs nothing, and answers what came in."""
    stack = Stack(folder, {"driver": {"engine": engine}, "quota": quota}).start()
    try:
        yield stack
    finally:
        stack.stop()


def call(stack: Stack, function: str, payload: Any = 1) -> requests.Response:
    return stack.call("POST", f"/v1/functions/{function}", json={"payload": payload})


def refusal(ask: Callable[[], requests.Response], what: str) -> requests.Response:
    """Return the first answer that is a refusal."""

    def look() -> list[requests.Response]:
        return [answer for answer in [ask()] if not answer.ok]

    (answer,) = until(look, what)
    return answer


def used(stack: Stack, name: str) -> int:
    quotas = {each["resource"]: each for each in stack.get("/v1/quota")["quotas"]}
    return int(quotas[name]["used"])


def goes_on(stack: Stack, function: str) -> None:
    """An ordinary call is accepted, at once or when there is room again, and runs."""
    answer = accepted(lambda: call(stack, function, "ordinary"))
    assert stack.ended(answer.json()["request_id"])["result"] == "ordinary"


def accepted(ask: Callable[[], requests.Response]) -> requests.Response:
    """Return the first answer that is no refusal."""
    (answer,) = until(lambda: [each for each in [ask()] if each.ok], "there is room")
    return answer


def test_runs_at_a_time(tmp_path: Path) -> None:
    """Also those of a synchronous call: it is refused, and what is asynchronous waits."""
    with bounded(tmp_path, "docker", concurrent_requests=1) as stack:
        echo, sleeper = stack.function(ECHO), stack.function(package(SLEEPER), timeout=900)
        synchronous = stack.function(ECHO, type="wait_for_response")
        running = stack.submit(sleeper)
        until(lambda: stack.logs(running), "it runs")
        answer = call(stack, synchronous)
        message = "the project's quota of concurrent_requests is 1, of which 1 are used"
        assert refused(answer, 429, "throttled") == message
        assert answer.headers["Retry-After"] == "1"
        assert used(stack, "concurrent_requests") == 1
        waiting = stack.submit(echo, "waits")
        assert stack.get(f"/v1/requests/{waiting}")["status"] == "queued"
        assert stack.call("DELETE", f"/v1/requests/{running}").status_code == 202
        assert stack.ended(running)["status"] == "cancelled"
        assert stack.ended(waiting)["result"] == "waits"
        goes_on(stack, echo)
        assert accepted(lambda: call(stack, synchronous)).json() == 1


def test_requests_a_minute(tmp_path: Path) -> None:
    with bounded(tmp_path, requests_per_minute=30) as stack:
        echo = stack.function(ECHO)
        answer = refusal(lambda: call(stack, echo), "a minute's requests are used")
        message = refused(answer, 429, "throttled")
        assert re.fullmatch(
            "the project's quota of requests_per_minute is 30, of which (29|30) are used", message
        )
        assert 1 <= int(answer.headers["Retry-After"]) <= 2
        goes_on(stack, echo)


def test_stored_results(tmp_path: Path) -> None:
    with bounded(tmp_path, stored_results=3) as stack:
        echo = stack.function(ECHO)
        answer = refusal(lambda: call(stack, echo), "as many are kept as may be, and counted")
        found = re.fullmatch(
            r"the project's quota of stored_results is 3, of which (\d+) are used",
            refused(answer, 429, "throttled"),
        )
        assert found is not None
        assert int(found[1]) >= 3
        assert answer.headers["Retry-After"] == "60"
        with closing(SQLiteStore(stack.folder / "state" / "store.sqlite")) as store:

            def delete() -> bool:
                """Be the scheduler's retention, a month later."""
                store.delete_ended_requests(now_ms() + 1, 1000)
                return not store.count_requests("default")

            until(delete, "all have ended, and are deleted")
        goes_on(stack, echo)


def test_code(tmp_path: Path) -> None:
    with bounded(tmp_path, code_size=1) as stack:
        echo = stack.function(ECHO)
        large = package("def main(payload=None): return payload", data=os.urandom(MIB))
        message = (
            "the project's quota of code_size is 1 MB, of which 0.0 MB are used: this zip has "
            "1.0 MB"
        )
        answers = [stack.upload(large)]
        form = {"zip_file": ("f.zip", large)}
        answers.append(stack.call("PATCH", f"/v1/functions/{echo}", files=form))
        for answer in answers:
            assert refused(answer, 413, "quota") == message
        assert used(stack, "code_size") == 1
        assert [each["version"] for each in versions(stack, echo)] == [1]
        goes_on(stack, echo)
        goes_on(stack, stack.function(ECHO))
        small = package("def main(payload=None): return payload", data=os.urandom(MIB * 3 // 8))
        first = stack.function(small)
        stack.function(small)  # the same once more: it takes no more
        other = package("def main(payload=None): return payload", data=os.urandom(MIB * 5 // 8))
        assert "of which 0.4 MB are used" in refused(stack.upload(other), 413, "quota")
        assert used(stack, "code_size") == 1
        assert stack.call("DELETE", f"/v1/functions/{first}").status_code == 204


def versions(stack: Stack, function: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.get(f"/v1/functions/{function}/versions")["versions"]
    return found
