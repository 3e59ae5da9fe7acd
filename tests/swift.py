"""The real Swift as tests use it: settings of archives in it, and how it goes away."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pratai_common import conf as configuration
from pratai_common.archives import Archives, open_archives
from pratai_common.tokens import TokenKey
from tests.archives import KEY
from tests.keystone import Keystone
from tests.services import Service

USER, PROJECT = "archivist", "archives"


class Swift:
    """One Swift, with an account for archives of the user ``archivist``."""

    def __init__(self, keystone: Keystone) -> None:
        self._keystone = keystone
        folder = str(keystone.service.folder)
        self.service = Service("swift", KEYSTONE_FOLDER=folder).start()
        keystone.register(f"user {USER} {PROJECT} member")
        self.url = self.service.url

    def settings(self, container: str) -> dict[str, dict[str, Any]]:
        """Return the options of archives in a container."""
        return {
            "archives": {"driver": "swift", "container": container},
            "swift": {
                "auth_type": "password",
                "auth_url": self._keystone.url,
                "username": USER,
                "password": self._keystone.password(USER),
                "project_name": PROJECT,
                "user_domain_id": "default",
                "project_domain_id": "default",
                "region_name": "RegionOne",
            },
        }


@dataclass(frozen=True)
class InSwift:
    """Opens archives in a container of its own for each folder. ``conf`` has the rest."""

    conf: Path
    key: TokenKey = KEY

    @classmethod
    def of(cls, swift: Swift, conf: Path) -> "InSwift":
        lines = []
        for group, values in swift.settings("unused").items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
        conf.write_text("\n".join([*lines, ""]))
        return cls(conf)

    def __call__(self, folder: Path, timeout: float = 30) -> Archives:
        conf = configuration.load("test", ["--config-file", str(self.conf)])
        container = hashlib.sha256(str(folder).encode()).hexdigest()
        conf.set_override("container", container, group="archives")
        conf.set_override("timeout", timeout, group="archives")
        return open_archives(conf, self.key)
