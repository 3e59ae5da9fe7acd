"""What else an API that asks Keystone has: its catalogue, description, log, browsers, drains."""

from collections.abc import Iterator

import pytest

from tests.keystone import ANONYMOUS, MISSING, Keystone, ask, no_entry
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until


@pytest.fixture(scope="module")
def stack(keystone_stack: Stack) -> Stack:
    """A stack that asks Keystone; its own session is that of a member of the project demo."""
    return keystone_stack


@pytest.fixture(autouse=True)
def still_fine(stack: Stack, mine: str) -> Iterator[None]:
    """After each test an ordinary call works as ever."""
    yield
    assert stack.run(mine, {"a": 1})["status"] == "success"


def test_the_catalogue_leads_to_the_api(stack: Stack, keystone: Keystone) -> None:
    session = keystone.session("reader", "demo")
    for interface in ("public", "internal", "admin"):
        found = session.get_endpoint(service_type="function", interface=interface)
        assert found == stack.url
    assert session.get(f"{found}/v1/runtimes").status_code == 200


def test_the_description_says_what_needs_a_token(stack: Stack) -> None:
    document = stack.get("/v1/openapi.json")
    assert document["components"]["securitySchemes"]["token"]["name"] == "X-Auth-Token"
    operations = document["paths"]
    assert operations["/v1/functions"]["get"]["security"] == [{"token": []}]
    assert {"401", "403"} <= set(operations["/v1/functions"]["get"]["responses"])
    assert operations["/v1/functions/{function_id}"]["post"]["security"] == [
        {"token": []},
        {"key": []},
        {},
    ]
    for path in ANONYMOUS:
        assert "security" not in operations[path]["get"]


def test_the_log_says_who_called(stack: Stack, keystone: Keystone) -> None:
    session = keystone.session("reader", "demo")
    theirs = "req-01234567-89ab-cdef-0123-456789abcdef"
    headers = {"X-Openstack-Request-Id": theirs}
    answer = ask(stack, session.get_token(), "GET", "/v1/functions", headers=headers)
    identity = answer.headers["X-Openstack-Request-Id"]
    who = f"[{theirs} {identity} {session.get_user_id()} {session.get_project_id()} "
    log = stack.folder / "log" / "pratai-api.log"
    until(lambda: f"{who}" in log.read_text(), "the log has the request's line")
    for path in (stack.folder / "log").iterdir():
        text = path.read_text()
        assert str(session.get_token()) not in text
        assert all(keystone.password(user) not in text for user in ("reader", "pratai"))


def test_a_page_of_another_origin_may_ask(stack: Stack, keystone: Keystone) -> None:
    origin = {"Origin": "https://dashboard.example"}
    wanted = {
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "X-Auth-Token",
    }
    asked = ask(stack, None, "OPTIONS", "/v1/functions/x", headers={**origin, **wanted})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Methods"]) == (200, "DELETE")
    answer = ask(stack, None, "GET", "/v1/functions", headers=origin)
    no_entry(answer, keystone, MISSING)
    assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    elsewhere = {"Origin": "https://elsewhere.example", **wanted}
    asked = ask(stack, None, "OPTIONS", "/v1/functions/x", headers=elsewhere)
    assert "Access-Control-Allow-Origin" not in asked.headers


def test_an_api_that_is_drained_still_answers(stack: Stack, mine: str) -> None:
    drain = stack.folder / "drain"
    drain.touch()
    try:
        answer = stack.call("GET", "/healthcheck")
        assert refused(answer, 503, "unhealthy") == "DISABLED BY FILE"
        assert stack.get(f"/v1/functions/{mine}")["name"] == "mine"
    finally:
        drain.unlink()
    answer = stack.call("GET", "/healthcheck")
    assert (answer.status_code, answer.text) == (200, "OK")
