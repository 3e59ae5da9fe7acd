"""Tokens that a real Keystone knows and does not know, and that it may be away."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from tests.keystone import ANONYMOUS, INVALID, MISSING, Keystone, ask, call, no_entry
from tests.packages import ECHO
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

AWAY = "Keystone does not answer, so nobody knows who calls; nothing was done"


@pytest.fixture(scope="module")
def stack(keystone_stack: Stack) -> Stack:
    """A stack that asks Keystone; its own session is that of a member of the project demo."""
    return keystone_stack


@pytest.fixture(autouse=True)
def still_fine(stack: Stack, mine: str) -> Iterator[None]:
    """After each test an ordinary call works as ever."""
    yield
    assert stack.run(mine, {"a": 1})["status"] == "success"


def refusal(stack: Stack, token: str) -> requests.Response:
    """Return the answer when a token is refused, which it is soon."""
    answers: list[requests.Response] = []

    def look() -> bool:
        answers.append(ask(stack, token, "GET", "/v1/functions"))
        return answers[-1].status_code != 200

    until(look, "the token is refused")
    return answers[-1]


@pytest.mark.parametrize("path", ANONYMOUS)
def test_what_anybody_may_read(stack: Stack, path: str) -> None:
    for token in (None, "garbage"):
        assert ask(stack, token, "GET", path).status_code == 200


def test_without_a_token(stack: Stack, keystone: Keystone, mine: str) -> None:
    for method, path in [
        ("GET", "/v1/functions"),
        ("POST", "/v1/functions"),
        ("GET", f"/v1/functions/{mine}"),
        ("GET", "/v1/functions/nothing"),
        ("GET", "/v1/cluster"),
        ("GET", "/v1/requests"),
    ]:
        no_entry(ask(stack, None, method, path), keystone, MISSING)
    no_entry(call(stack, None, mine), keystone, MISSING)
    no_entry(call(stack, None, "nothing"), keystone, MISSING)
    assert stack.call("GET", f"/v1/functions/{mine}").status_code == 200


def test_a_large_upload_without_a_token_is_told_so(stack: Stack, keystone: Keystone) -> None:
    form = {"zip_file": ("f.zip", bytes(32 * 1024 * 1024)), "metadata": (None, "{}")}
    no_entry(ask(stack, None, "POST", "/v1/functions", files=form), keystone, MISSING)
    refused(stack.call("POST", "/v1/functions", files=form), 400, "invalid")


@pytest.mark.parametrize("token", ["x", "gAAAAA" + 180 * "A", "ÿ", "a b", 4000 * "t", "-"])
def test_garbage_for_a_token(stack: Stack, keystone: Keystone, token: str) -> None:
    answer = ask(stack, token.encode("latin-1"), "GET", "/v1/functions")  # type: ignore[arg-type]
    no_entry(answer, keystone, INVALID)


def test_a_token_that_expires(stack: Stack, keystone: Keystone) -> None:
    with keystone.short_lived_tokens(8):
        token = keystone.token("member", "demo")
        assert ask(stack, token, "GET", "/v1/functions").status_code == 200
        no_entry(refusal(stack, token), keystone, INVALID)


def test_a_token_that_is_revoked(stack: Stack, keystone: Keystone) -> None:
    token = keystone.token("reader", "demo")
    assert ask(stack, token, "GET", "/v1/functions").status_code == 200
    keystone.revoke(token)
    no_entry(refusal(stack, token), keystone, INVALID)


@pytest.mark.parametrize(
    "scope", [{"unscoped": True}, {"domain_id": "default"}, {"system_scope": "all"}]
)
def test_a_token_of_no_project(stack: Stack, keystone: Keystone, scope: dict[str, Any]) -> None:
    keystone.let_administer_the_domain("admin")
    answer = ask(stack, keystone.token("admin", None, **scope), "GET", "/v1/functions")
    message = refused(answer, 403, "project_scope_required")
    assert message == "the token is of no project: ask Keystone for one of a project"
    of_a_project = keystone.token("admin", "admin")
    assert ask(stack, of_a_project, "GET", "/v1/functions").status_code == 200


def test_what_a_client_says_of_itself_is_not_believed(
    stack: Stack, keystone: Keystone, mine: str
) -> None:
    project = stack.get(f"/v1/functions/{mine}")["project_id"]
    forged = {
        "X-Identity-Status": "Confirmed",
        "X-Project-Id": project,
        "X-Tenant-Id": project,
        "X-User-Id": "somebody",
        "X-Roles": "admin,member,reader",
        "X-Is-Admin-Project": "True",
        "OpenStack-System-Scope": "all",
    }
    path = f"/v1/functions/{mine}"
    no_entry(ask(stack, None, "GET", path, headers=forged), keystone, MISSING)
    no_entry(ask(stack, "x", "GET", path, headers=forged), keystone, INVALID)
    other = keystone.token("other", "other")
    refused(ask(stack, other, "GET", path, headers=forged), 404, "function_not_found")
    reader = keystone.token("reader", "demo")
    refused(ask(stack, reader, "DELETE", path, headers=forged), 403, "forbidden")
    assert ask(stack, reader, "GET", path, headers=forged).status_code == 200


# Application credentials


def token_of(keystone: Keystone, **settings: Any) -> str:
    """Return a token by a new application credential of the user member."""
    credential = keystone.application_credential("member", "demo", **settings)
    auth = v3.ApplicationCredential(
        keystone.url,
        application_credential_id=credential["id"],
        application_credential_secret=credential["secret"],
    )
    return str(Session(auth).get_token())


def test_an_application_credential_has_the_roles_it_was_given(
    stack: Stack, keystone: Keystone, mine: str
) -> None:
    token = token_of(keystone, roles=[{"name": "reader"}])
    assert ask(stack, token, "GET", f"/v1/functions/{mine}").status_code == 200
    refused(call(stack, token, mine), 403, "forbidden")
    token = token_of(keystone)
    assert call(stack, token, mine).status_code == 202


def test_the_access_rules_of_an_application_credential_hold(
    stack: Stack, keystone: Keystone, mine: str
) -> None:
    rule = {"service": "function", "method": "POST", "path": f"/v1/functions/{mine}"}
    token = token_of(keystone, access_rules=[rule])
    assert call(stack, token, mine).status_code == 202
    no_entry(ask(stack, token, "GET", f"/v1/functions/{mine}"), keystone, INVALID)


# Keystone away


@pytest.mark.parametrize("way", ["away", "hanging"])
def test_while_keystone_cannot_be_asked(
    stack: Stack, keystone: Keystone, mine: str, way: str
) -> None:
    public = stack.function(ECHO, public=True)
    endpoint = stack.get(f"/v1/functions/{public}")["endpoint"]
    token = keystone.token("reader", "demo")
    with keystone.away() if way == "away" else keystone.service.hanging():
        for method, path in (("GET", f"/v1/functions/{mine}"), ("POST", f"/v1/functions/{public}")):
            answer = ask(stack, token, method, path, json={"payload": 1})
            assert refused(answer, 503, "identity_unavailable") == AWAY
            assert answer.headers["Retry-After"] == "1"
        for path in ANONYMOUS:
            assert ask(stack, None, "GET", path).status_code == 200
        assert call(stack, None, public).status_code == 202
        assert ask(stack, token, "POST", endpoint, json=1).status_code == 202
        no_entry(ask(stack, None, "GET", "/v1/functions"), keystone, MISSING)
    assert ask(stack, token, "GET", f"/v1/functions/{mine}").status_code == 200
