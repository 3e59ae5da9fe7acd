"""The real Keystone as tests use it: users of projects, their tokens, and how it goes away."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from tests.refusals import refused
from tests.services import Service
from tests.stack import Stack

_REGISTER = Path(__file__).parent.parent / "deploy" / "services" / "keystone-register.sh"
USERS = """
user pratai service service
user reader demo reader
user member demo member
user stranger demo stranger
user other other member
"""
"""Beside ``admin`` of the project ``admin``: its password is made by ``keystone.sh``."""
INVALID = "the token is unknown, expired or revoked"
MISSING = "this needs a token of Keystone, in the header X-Auth-Token"
ANONYMOUS = ["/", "/v1", "/healthcheck", "/v1/openapi.json", "/v1/status"]


class Keystone:
    """One Keystone with the users of ``USERS``, who each have one project."""

    def __init__(self) -> None:
        self.service = Service("keystone").start()
        self.url = self.service.url
        # One for all sessions: whoever collected them could find their sockets open.
        self._connections = requests.Session()
        self.register(USERS)

    def remove(self) -> None:
        self._connections.close()
        self.service.remove()

    def register(self, commands: str) -> None:
        subprocess.run([_REGISTER, self.service.folder], check=True, input=commands, text=True)

    def password(self, user: str) -> str:
        return (self.service.folder / "passwords" / user).read_text().strip()

    def session(self, user: str, project: str | None, **scope: Any) -> Session:
        """Return a session of a user, which gets its tokens when it needs them."""
        if project is not None:
            scope |= {"project_name": project, "project_domain_id": "default"}
        auth = v3.Password(
            self.url,
            username=user,
            password=self.password(user),
            user_domain_id="default",
            **scope,
        )
        return Session(auth, session=self._connections)

    def token(self, user: str, project: str | None, **scope: Any) -> str:
        return str(self.session(user, project, **scope).get_token())

    def revoke(self, token: str) -> None:
        """Let a token be worth nothing, as its owner may."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        self._connections.delete(f"{self.url}/auth/tokens", headers=headers)

    def application_credential(self, user: str, project: str, **settings: Any) -> dict[str, Any]:
        """Return a new application credential of a user, with its secret."""
        owner = self.session(user, project)
        path = f"{self.url}/users/{owner.get_user_id()}/application_credentials"
        wanted = {"name": uuid.uuid4().hex, **settings}
        made = owner.post(path, json={"application_credential": wanted}).json()
        credential: dict[str, Any] = made["application_credential"]
        return credential

    def let_administer_the_domain(self, user: str) -> None:
        """Give a user the role admin in the domain, so that there can be tokens of a domain."""
        admin = self.session("admin", "admin")
        role = admin.get(f"{self.url}/roles?name=admin").json()["roles"][0]["id"]
        user_id = self.session(user, "admin").get_user_id()
        admin.put(f"{self.url}/domains/default/users/{user_id}/roles/{role}")

    def environment(self, user: str, project: str) -> dict[str, str]:
        """Return a user's ``OS_*`` variables."""
        command = [_REGISTER, self.service.folder, "openrc", user, project]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines.splitlines())
        return {name: value.strip("'") for name, value in pairs}

    def settings(self, *, hasty: bool = True) -> dict[str, dict[str, Any]]:
        """Return what lets a stack ask this Keystone, and forget within a second what it said.
        Where it is not hasty it waits as long as it does by default: a server that has just been
        started takes seconds for its first answer.

        ``delay_auth_decision`` is what other services set, and makes no difference.
        """
        command = [_REGISTER, self.service.folder, "authtoken", "pratai"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        pairs = (line.split(" = ", 1) for line in lines.splitlines()[1:])
        quick: dict[str, Any] = {"token_cache_time": 1, "delay_auth_decision": "true"}
        if hasty:
            quick["http_connect_timeout"] = 1
        return {
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": {**dict(pairs), **quick},
        }

    @contextmanager
    def stack(self, folder: Path, settings: dict[str, dict[str, Any]]) -> Iterator[Stack]:
        """Run a stack that this Keystone's catalogue names, and whose settings are these, which
        ``settings()`` begins; its session is that of a member of demo.
        """
        running = Stack(folder, settings)
        self.register(f"service pratai function {running.url}")
        running.start()
        try:
            running.session.headers["X-Auth-Token"] = self.token("member", "demo")
            yield running
        finally:
            running.stop()

    @contextmanager
    def short_lived_tokens(self, seconds: int) -> Iterator[None]:
        """Tokens made while the block runs are valid for so long."""
        self.service.stop()
        self.service.start(KEYSTONE_TOKEN_SECONDS=str(seconds))
        self._answers()
        try:
            yield
        finally:
            self.service.stop()
            self.service.start()
            self._answers()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens while the block runs."""
        with self.service.away():
            yield
        self._answers()

    def _answers(self) -> None:
        """Have it look at a token: its first answers take seconds, which not everybody waits."""
        admin = self.session("admin", "admin")
        admin.get(f"{self.url}/auth/tokens", headers={"X-Subject-Token": admin.get_token()})


def ask(stack: Stack, token: str | None, method: str, path: str, **more: Any) -> requests.Response:
    """Call the API with this token, or with none."""
    return stack.call(
        method, path, headers={"X-Auth-Token": token, **more.pop("headers", {})}, **more
    )


def call(stack: Stack, token: str | None, function_id: str) -> requests.Response:
    return ask(stack, token, "POST", f"/v1/functions/{function_id}", json={"payload": 1})


def no_entry(answer: requests.Response, keystone: Keystone, message: str) -> None:
    assert refused(answer, 401, "unauthenticated") == message
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"'
