"""A recognizable secret on its way from who keeps it to the code that needs it, found nowhere."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.packages import package
from tests.refusals import refused
from tests.searching import files_with, holds, image_with, inspected
from tests.stack import Stack
from tests.waiting import until

CACHE_SECONDS = 2
SETTINGS = {"secrets": {"cache_seconds": CACHE_SECONDS}, "DEFAULT": {"debug": "true"}}
VALUE = "rec0gnizable-51b0fd2c"
PLANTED = "plant3d-9e77aa01"
USING = package(
    """
    import os
    from hashlib import sha256

    from pratai import secret

    AT_IMPORT = secret("db")
    print("imported with", AT_IMPORT)

    def main(payload=None):
        with open("/run/secrets/password") as file:
            password = file.read()
        print("the password is", password)
        print("half", password[:10], end="", flush=True)
        print(password[10:])
        if payload == "fail":
            raise ValueError(f"it is not {password}")
        values = [AT_IMPORT, secret("db"), password, os.environ["PASSWORD"]]
        return [sha256(each.encode()).hexdigest() for each in values]
    """
)
USES = [{"name": "db", "file": "password"}, {"name": "db", "environment": "PASSWORD"}]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("secrets"), SETTINGS, curve=True).start()
    yield running
    running.stop()


@pytest.fixture
def using(mine: Stack) -> str:
    """A function with a secret."""
    put(mine, VALUE)
    return mine.function(USING, secrets=USES, environment={"PLANTED": PLANTED})


def put(stack: Stack, value: str) -> None:
    answer = stack.call("POST", "/v1/secrets", json={"name": "db", "value": value})
    assert answer.status_code == 201, answer.text


def digests(value: str) -> list[str]:
    return [subprocess.check_output(["sha256sum"], input=value.encode()).decode()[:64]] * 4


def test_a_function_uses_it_and_its_log_does_not_show_it(mine: Stack, using: str) -> None:
    for _ in range(2):  # in a new container, and in one that has waited
        request = mine.run(using)
        assert request["result"] == digests(VALUE)
        log = mine.logs(request["request_id"])
        assert "imported with ***" in log
        assert "the password is ***" in log
        assert "half ***" in log
        assert VALUE not in log


def test_a_failure_does_not_tell_it(mine: Stack, using: str) -> None:
    request = mine.run(using, "fail")
    assert (request["reason"], request["message"]) == ("exception", "ValueError: it is not ***")
    assert VALUE not in mine.logs(request["request_id"])


@pytest.mark.parametrize("isolation", ["process", "shared"])
def test_with_every_isolation(mine: Stack, isolation: str) -> None:
    put(mine, VALUE)
    function = mine.function(USING, secrets=USES, isolation=isolation)
    for _ in range(3):
        assert mine.run(function)["result"] == digests(VALUE)


def test_it_is_found_nowhere(mine: Stack, using: str) -> None:
    """Every file of the stack, and what Docker tells of its containers and images."""
    assert mine.run(using)["result"] == digests(VALUE)
    mine.run(using, "fail")

    def look() -> tuple[str, bytes] | None:
        """Return what Docker tells of the containers, and the function's image."""
        mine.run(using)
        containers = inspected([mine.node])
        image = image_with(b"AT_IMPORT", containers)
        return None if image is None else (json.dumps(containers), image)

    said, image = until(look, "a container of the function waits for an event") or ("", b"")
    assert mine.node in said  # what is looked through is theirs
    assert not holds(said.encode(), VALUE)
    assert not holds(image, VALUE)
    assert files_with(mine.folder, PLANTED) != []  # the search finds what is there
    assert files_with(mine.folder, VALUE) == []


def test_a_new_value_is_seen_within_a_bounded_time(mine: Stack, using: str) -> None:
    assert mine.run(using)["result"] == digests(VALUE)
    put(mine, "an0ther-value-of-it")

    def look() -> bool:
        result = mine.run(using)["result"]
        assert result in (digests(VALUE), digests("an0ther-value-of-it"))  # never a mixture
        return bool(result == digests("an0ther-value-of-it"))

    until(look, "the new value is seen", 10 * CACHE_SECONDS)


def test_a_secret_that_is_deleted(mine: Stack) -> None:
    put(mine, VALUE)
    function = mine.function(USING, secrets=USES)
    assert mine.call("DELETE", "/v1/secrets/db").status_code == 204
    request = mine.run(function)
    assert (request["status"], request["reason"]) == ("error", "secret_unavailable")
    assert request["message"] == "the project has no secret db"
    put(mine, VALUE)
    assert mine.run(function)["status"] == "success"


def test_it_is_repeated_as_often_as_its_function_says(mine: Stack) -> None:
    put(mine, VALUE)
    function = mine.function(USING, secrets=USES, retries=1)
    mine.call("DELETE", "/v1/secrets/db")
    request = mine.run(function)
    assert [each["reason"] for each in request["attempts"]] == ["secret_unavailable"] * 2
    put(mine, VALUE)


def test_a_synchronous_call(mine: Stack) -> None:
    put(mine, VALUE)
    function = mine.function(USING, secrets=USES, type="wait_for_response")
    path = f"/v1/functions/{function}"
    answer = mine.call("POST", path, json={"payload": None})
    assert (answer.status_code, answer.json()) == (200, digests(VALUE))
    mine.call("DELETE", "/v1/secrets/db")

    def look() -> list[Any]:
        answer = mine.call("POST", path, json={"payload": None})
        return [answer] if answer.status_code != 200 else []

    [refusal] = until(look, "the secret is missed") or []
    assert refused(refusal, 502, "secret_unavailable") == "the project has no secret db"
    put(mine, VALUE)
