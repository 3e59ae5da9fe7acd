"""The real Barbican as tests use it: by whose right it is asked, and how it goes away."""

import uuid
from pathlib import Path
from typing import Any

from barbicanclient import client

from pratai_api.keystone_sessions import Sessions
from pratai_api.secret_stores.barbican import BarbicanSecrets
from pratai_common import conf as configuration
from tests.keystone import Keystone
from tests.services import Service

USERS = """
user keeper secrets member
user colleague secrets member
user looker secrets reader
user outsider outside member
"""


class Barbican:
    """One Barbican, with two projects that keep secrets."""

    def __init__(self, keystone: Keystone) -> None:
        self.keystone = keystone
        self._made: list[Sessions] = []
        folder = str(keystone.service.folder)
        self.service = Service("barbican", KEYSTONE_FOLDER=folder).start()
        keystone.register(USERS)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Return what lets a stack keep its secrets here."""
        return {**self.keystone.settings(hasty=False), "secrets": {"driver": "barbican"}}

    def sessions(self, folder: Path, **authtoken: str) -> Sessions:
        """Return the sessions of an API that is configured in a folder, with other settings of its
        service user perhaps.
        """
        settings, lines = self.settings(), []
        settings["keystone_authtoken"].update(authtoken)
        for group, values in settings.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
        path = folder / f"{uuid.uuid4().hex}.conf"
        path.write_text("\n".join([*lines, ""]))
        made = Sessions(configuration.load("test", [f"--config-file={path}"]))
        self._made.append(made)
        return made

    def remove(self) -> None:
        for each in self._made:
            each.service.session.close()
        self.service.remove()

    def secrets(self, folder: Path) -> BarbicanSecrets:
        """Return the store under test."""
        return BarbicanSecrets(self.sessions(folder))

    def client(self, user: str, project: str) -> Any:
        """Return what another program of a user's asks Barbican with."""
        session = self.keystone.session(user, project)
        return client.Client(session=session, endpoint=self.service.url)
