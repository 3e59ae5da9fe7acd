"""A real function asks the real Keystone in its owner's name, over a network that it can reach."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests

from tests import relay
from tests.keystone import Keystone, ask
from tests.namespace import Link, Namespace
from tests.packages import package
from tests.stack import FINAL, Stack
from tests.waiting import until

PROJECT = "demo"
LISTING = package(
    """
    from pratai import context, openstack_session

    def main(payload=None):
        session = openstack_session()
        # By this address: what the catalogue has is loopback, of the machine that Keystone is on.
        answer = session.get(f"{context.identity['auth_url']}/auth/projects")
        found = [each["name"] for each in answer.json()["projects"]]
        return {"projects": found, "user_id": session.get_user_id(),
                "project_id": session.get_project_id()}
    """,
    requirements="keystoneauth1\n",
)
OUTLIVING = package(
    """
    import time

    from keystoneauth1.exceptions import Unauthorized
    from pratai import context, openstack_session

    def main(payload=None):
        session = openstack_session()
        answered = 0
        while True:
            try:
                session.get(f"{context.identity['auth_url']}/auth/projects")
            except Unauthorized:
                return answered
            answered += 1
            time.sleep(0.5)
    """,
    requirements="keystoneauth1\n",
)


@pytest.fixture(scope="module")
def reachable(keystone: Keystone) -> Iterator[str]:
    """Keystone's address for containers: not of this machine, which they may not reach."""
    space = Namespace()
    link = Link(space)
    with TemporaryDirectory() as folder:
        way, script = f"{folder}/way", str(Path(relay.__file__))
        here = [sys.executable, script, way, f"127.0.0.1:{keystone.service.port}"]
        there = space.command(sys.executable, script, f"{link.there}:5000", way)
        processes = [subprocess.Popen(command) for command in (here, there)]
        url = f"http://{link.there}:5000/v3"
        try:
            until(lambda: answers(url), "Keystone answers there")
            yield url
        finally:
            for each in processes:
                each.terminate()
                each.wait(30)
            link.remove()
            space.remove()


def answers(url: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def stack(keystone: Keystone, reachable: str, tmp_path_factory: Any) -> Iterator[Stack]:
    settings = keystone.settings(hasty=False)
    settings["keystone_authtoken"]["www_authenticate_uri"] = reachable
    settings["secrets"] = {"cache_seconds": 1}
    with keystone.stack(tmp_path_factory.mktemp("identity"), settings) as running:
        yield running


def test_a_function_lists_its_owners_projects(stack: Stack, keystone: Keystone) -> None:
    owner = keystone.session("member", PROJECT)
    function = stack.function(LISTING, trust={"roles": ["member"]})
    request = stack.run(function)
    assert request["status"] == "success", stack.logs(request["request_id"])
    assert request["result"] == {
        "projects": [PROJECT],
        "user_id": owner.get_user_id(),
        "project_id": owner.get_project_id(),
    }


def test_a_run_that_outlives_its_token(stack: Stack, keystone: Keystone) -> None:
    """It is refused from then on, and the next run has a new one."""
    function = stack.function(OUTLIVING, trust={"roles": ["member"]})
    with keystone.short_lived_tokens(10):

        def as_member(method: str, path: str, **more: Any) -> Any:
            return ask(stack, keystone.token("member", PROJECT), method, path, **more).json()

        def run() -> dict[str, Any]:
            made = as_member("POST", f"/v1/functions/{function}", json={"payload": None})

            def look() -> dict[str, Any] | None:
                request: dict[str, Any] = as_member("GET", f"/v1/requests/{made['request_id']}")
                return request if request["status"] in FINAL else None

            return until(look, "its token has expired") or {}

        def outlived() -> bool:
            """Run it; on a slow machine its token may have expired before it was used at all."""
            request = run()
            assert request["status"] == "success", request
            return bool(request["result"] > 0)

        for _ in range(2):
            until(outlived, "its token was good, and is no more")


def test_a_timer_acts_for_the_owner_too(stack: Stack) -> None:
    made = stack.function(LISTING, trust={"roles": ["member"]}, event="timer", frequency=1 / 60)

    def look() -> Any:
        found = stack.get(f"/v1/requests?function_id={made}&status=success")["requests"]
        return found[0] if found else None

    request = until(look, "a tick has run") or {}
    shown = stack.get(f"/v1/requests/{request['request_id']}")
    assert (request["source"], shown["result"]["projects"]) == ("timer", [PROJECT])
    stack.call("DELETE", f"/v1/functions/{made}")


def test_a_function_without_a_trust_acts_for_nobody(stack: Stack) -> None:
    request = stack.run(stack.function(LISTING))
    assert request["reason"] == "exception"
    assert request["message"] == (
        "LookupError: the function acts for nobody: it was given no trust, or no event yet"
    )


def test_nobody_acts_for_who_is_disabled(stack: Stack, keystone: Keystone) -> None:
    keystone.register("user leaver leaving member")
    leaver = keystone.session("leaver", "leaving")
    admin = keystone.session("admin", "admin")
    url = f"{keystone.url}/users/{leaver.get_user_id()}"
    mine = stack.session.headers["X-Auth-Token"]
    stack.session.headers["X-Auth-Token"] = str(leaver.get_token())
    try:
        function = stack.function(
            LISTING, trust={"roles": ["member"]}, event="timer", frequency=1 / 60
        )
        assert stack.run(function)["status"] == "success"
    finally:
        stack.session.headers["X-Auth-Token"] = mine
    admin.patch(url, json={"user": {"enabled": False}})
    stack.session.headers["X-Auth-Token"] = keystone.token("admin", "admin")
    try:

        def look() -> Any:
            path = f"/v1/requests?function_id={function}&all_projects=true"
            found = stack.get(path)["requests"]
            return next((each for each in found if each["reason"] == "identity_revoked"), None)

        until(look, "the timer's runs end with identity_revoked")
        assert stack.call("DELETE", f"/v1/functions/{function}").status_code == 204
    finally:
        stack.session.headers["X-Auth-Token"] = mine
