"""Functions whose secrets are in the real Barbican, by the right of who named them; what they do
for their owners in the real Keystone.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from keystoneauth1.session import Session

from tests.barbican import Barbican
from tests.keystone import Keystone, ask
from tests.packages import package
from tests.rabbitmq import RabbitMQ
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

PROJECT = "secrets"
USING = package(
    """
    from hashlib import sha256

    from pratai import context, secret

    def main(payload=None):
        if payload == "identity":
            return context.identity
        return sha256(secret("db").encode()).hexdigest()
    """
)
DIGEST = "cd42404d52ad55ccfa9aca4adc828aa5800ad9d385a0671fbcbf724118320619"
"""Of ``value``."""


@pytest.fixture(scope="module")
def stack(barbican: Barbican, keystone: Keystone) -> Iterator[Stack]:
    with TemporaryDirectory() as folder:
        settings: dict[str, dict[str, Any]] = {
            **barbican.settings(),
            "DEFAULT": {"debug": "true"},
        }
        settings["secrets"] = {"driver": "barbican", "cache_seconds": 1}
        with keystone.stack(Path(folder), settings) as running:
            running.session.headers["X-Auth-Token"] = keystone.token("keeper", PROJECT)
            yield running


@pytest.fixture
def secret(stack: Stack) -> None:
    answer = stack.call("POST", "/v1/secrets", json={"name": "db", "value": "value"})
    assert answer.status_code == 201, answer.text


def reason(stack: Stack, function: str, wanted: str) -> dict[str, Any]:
    """Return a run that ends for a reason, which every run soon does."""

    def look() -> dict[str, Any] | None:
        request = stack.run(function)
        return request if request["reason"] == wanted else None

    return until(look, f"runs end with {wanted}") or {}


def trusts_of(owner: Session, keystone: Keystone) -> list[dict[str, Any]]:
    url = f"{keystone.url}/OS-TRUST/trusts?trustor_user_id={owner.get_user_id()}"
    found: list[dict[str, Any]] = owner.get(url).json()["trusts"]
    return found


@pytest.mark.usefixtures("secret")
def test_a_function_reads_a_secret_by_its_owners_right(stack: Stack) -> None:
    function = stack.function(USING, secrets=[{"name": "db"}])
    assert stack.get(f"/v1/functions/{function}")["trust"] is None
    assert stack.run(function)["result"] == DIGEST
    assert stack.run(function, "identity")["result"] is None  # its code gets no right


@pytest.mark.usefixtures("secret")
def test_who_sees_a_value(stack: Stack, keystone: Keystone) -> None:
    looker, outsider = keystone.token("looker", PROJECT), keystone.token("outsider", "outside")
    assert ask(stack, None, "GET", "/v1/secrets/db").status_code == 401
    for method, path in (("GET", "/db"), ("DELETE", "/db"), ("GET", "")):  # by Barbican's policy
        assert refused(ask(stack, looker, method, f"/v1/secrets{path}"), 403, "forbidden")
    answer = ask(stack, outsider, "GET", "/v1/secrets/db")
    assert refused(answer, 404, "secret_not_found") == "the project has no secret db"
    colleague = keystone.token("colleague", PROJECT)
    assert ask(stack, colleague, "GET", "/v1/secrets/db").json()["value"] == "value"


@pytest.mark.usefixtures("secret")
def test_barbican_is_away(stack: Stack, barbican: Barbican) -> None:
    function = stack.function(USING, secrets=[{"name": "db"}])
    assert stack.run(function)["result"] == DIGEST
    with barbican.service.away():
        assert refused(stack.call("GET", "/v1/secrets"), 503, "secret_unavailable")
        request = reason(stack, function, "secret_unavailable")
        assert "Barbican" in request["message"]
    until(lambda: stack.run(function)["result"] == DIGEST, "Barbican is asked again")


@pytest.mark.usefixtures("secret")
def test_barbican_comes_back_before_the_retries_end(stack: Stack, barbican: Barbican) -> None:
    function = stack.function(USING, secrets=[{"name": "db"}], retries=9)
    with barbican.service.away():
        request_id = stack.submit(function)

        def tried() -> list[str]:
            attempts = stack.get(f"/v1/requests/{request_id}")["attempts"]
            return [each["reason"] for each in attempts if each["finished_at"] is not None]

        until(tried, "an attempt has failed")
        assert set(tried()) == {"secret_unavailable"}
        assert stack.get(f"/v1/requests/{request_id}")["status"] != "error"
    request = stack.ended(request_id)
    assert (request["status"], request["result"]) == ("success", DIGEST)
    assert request["attempts"][-1]["reason"] is None


def test_a_function_acts_for_its_owner(stack: Stack, keystone: Keystone) -> None:
    function = stack.function(USING, trust={"roles": ["member"]})
    owner = keystone.session("keeper", PROJECT)
    identity = stack.run(function, "identity")["result"]
    assert identity["user_id"] == owner.get_user_id()
    assert identity["project_id"] == owner.get_project_id()
    # The result is masked nowhere: what a function returns is its own affair.
    url = f"{identity['auth_url']}/auth/projects"
    headers = {"X-Auth-Token": identity["token"]}
    found = Session().get(url, headers=headers, authenticated=False).json()["projects"]
    assert [each["name"] for each in found] == [PROJECT]


def test_a_message_acts_for_the_owner_too(
    stack: Stack, keystone: Keystone, rabbitmq: RabbitMQ
) -> None:
    """Whoever sent it: it is the function's own right."""
    queue = rabbitmq.queue()
    settings = {"host": rabbitmq.host, "port": rabbitmq.port, "username": rabbitmq.username}
    event = {
        "name": queue,
        "source": "message",
        "settings": {**settings, "queue": queue},
        "password": rabbitmq.password,
    }
    made = stack.call("POST", "/v1/events", json=event)
    assert made.status_code == 201, made.text
    event_id = made.json()["event_id"]
    function = stack.function(
        USING, trust={"roles": ["member"]}, event="message", subscribe_to=[event_id]
    )
    rabbitmq.publish(queue, b'"identity"', content_type="application/json", message_id="m1")

    def look() -> Any:
        path = f"/v1/requests?function_id={function}&source=message&status=success"
        found = stack.get(path)["requests"]
        return found[0] if found else None

    request = until(look, "the message has run the function") or {}
    identity = stack.get(f"/v1/requests/{request['request_id']}")["result"]
    owner = keystone.session("keeper", PROJECT)
    assert (identity["user_id"], identity["project_id"]) == (
        owner.get_user_id(),
        owner.get_project_id(),
    )
    assert stack.call("DELETE", f"/v1/functions/{function}").status_code == 204
    assert stack.call("DELETE", f"/v1/events/{event_id}").status_code == 204
    rabbitmq.delete(queue)


def test_a_right_that_was_taken_back(stack: Stack, keystone: Keystone) -> None:
    function = stack.function(USING, trust={"roles": ["member"]})
    assert stack.run(function, "identity")["status"] == "success"
    owner = keystone.session("keeper", PROJECT)
    for each in trusts_of(owner, keystone):
        owner.delete(f"{keystone.url}/OS-TRUST/trusts/{each['id']}")
    request = reason(stack, function, "identity_revoked")
    assert request["message"] == "the right of the function's owner is valid no more"
    assert stack.call("DELETE", f"/v1/functions/{function}").status_code == 204


def test_a_deleted_functions_right_is_gone(stack: Stack, keystone: Keystone) -> None:
    owner = keystone.session("keeper", PROJECT)
    before = trusts_of(owner, keystone)
    function = stack.function(USING, trust={"roles": ["member"]})
    assert len(trusts_of(owner, keystone)) == len(before) + 1
    stack.call("DELETE", f"/v1/functions/{function}")
    assert trusts_of(owner, keystone) == before
