"""Registers services and users with a Keystone: see ``keystone-register.sh``."""

import os
import secrets
import shlex
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from keystoneclient.v3.client import Client

_DOMAIN = "default"
_REGION = "RegionOne"
_PASSWORD_BYTES = 24


class Registry:
    """What one Keystone knows. ``folder`` has its address and everybody's passwords."""

    def __init__(self, folder: Path) -> None:
        self._passwords = folder / "passwords"
        self._url = (folder / "url").read_text().strip()

    @cached_property
    def _keystone(self) -> Any:
        auth = v3.Password(
            self._url,
            username="admin",
            password=self._password("admin"),
            project_name="admin",
            user_domain_id=_DOMAIN,
            project_domain_id=_DOMAIN,
        )
        return Client(session=Session(auth), interface="public")

    def service(self, name: str, kind: str, url: str) -> None:
        """Let the catalogue say that a service of this type is at this address."""
        found = _first(self._keystone.services.list(name=name, type=kind))
        service = found or self._keystone.services.create(name, type=kind)
        known = {each.interface: each for each in self._keystone.endpoints.list(service=service)}
        for interface in ("public", "internal", "admin"):
            if interface not in known:
                self._keystone.endpoints.create(service, url, interface, _REGION)
            elif known[interface].url != url:
                self._keystone.endpoints.update(known[interface], url=url)

    def user(self, name: str, project: str, *roles: str) -> None:
        """Give a user roles in a project; whatever of these does not exist is made."""
        users, projects = self._keystone.users, self._keystone.projects
        owner = _first(projects.list(name=project, domain=_DOMAIN))
        owner = owner or projects.create(project, _DOMAIN)
        user = _first(users.list(name=name, domain=_DOMAIN))
        known = (self._passwords / name).exists()
        password = self._password(name)
        if user is None:
            user = users.create(name, _DOMAIN, password=password)
        elif not known:
            users.update(user, password=password)
        for role in roles:
            found = _first(self._keystone.roles.list(name=role))
            found = found or self._keystone.roles.create(role)
            self._keystone.roles.grant(found, user=user, project=owner)

    def _password(self, user: str) -> str:
        """Return a user's password; a new user gets one, readable by its owner alone."""
        path = self._passwords / user
        if not path.exists():
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as new:
                new.write(secrets.token_urlsafe(_PASSWORD_BYTES) + "\n")
        return path.read_text().strip()


def _first(found: list[Any]) -> Any:
    return found[0] if found else None


def main(folder: str, *arguments: str) -> None:
    """Do one command, or those that stand on standard input."""
    registry = Registry(Path(folder))
    commands: dict[str, Callable[..., None]] = {
        "service": registry.service,
        "user": registry.user,
    }
    lines = [list(arguments)] if arguments else [shlex.split(line) for line in sys.stdin]
    for command, *words in filter(None, lines):
        if command not in commands:
            sys.exit(f"there is no command {command}: see keystone-register.sh")
        commands[command](*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
